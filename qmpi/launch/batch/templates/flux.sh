# On Flux: a batch job is a Flux instance of its own; what is to come after it is asked of the instance
# around it (`flux --parent`). It has no requeue, so the job hands in its successor. mpirun reaches
# other nodes through an agent that is called as ssh is, and asks flux-exec(1) by broker rank.
job_id=$(flux getattr jobid)
job_id=${job_id:-0}
requeued=${QMPI_REQUEUES:-0}
if [ -z "${PRTE_MCA_plm_ssh_agent:-}" ]; then
  mkdir -p -- "$RUN/batch" || exit 3
  agent=$RUN/batch/flux-agent
  cat >"$agent.$$" <<'AGENT'
#!/bin/bash
rank=$(flux hostlist --find="$1" instance) || exit 255
shift
exec flux exec --noinput --rank="$rank" /bin/sh -c "$*"
AGENT
  chmod 700 "$agent.$$" && mv -- "$agent.$$" "$agent"
  case $agent in
    *[!A-Za-z0-9_./-]*) ;; # Open MPI takes the agent apart at spaces: such a run needs ssh
    *) export PRTE_MCA_plm_ssh_agent=$agent ;;
  esac
fi
requeue() {
  local script=$RUN/batch/flux.sh
  if [ ! -e "$script" ]; then script=$0; fi
  flux --parent batch --dependency="afterany:$job_id" \
    --env="QMPI_REQUEUES=$((requeued + 1))" "$script"
}
