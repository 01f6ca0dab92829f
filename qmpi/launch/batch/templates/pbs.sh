# On PBS: it warns nobody before the limit and tells no job when that is, so this does. `qrerun` is
# for operators alone (qrerun(1B)), so the job hands in its successor. pbs_tmrsh(8B) starts mpirun's
# daemons without ssh, under the eyes of PBS.
job_id=${PBS_JOBID:-0}
requeued=${QMPI_REQUEUES:-0}
if [ -z "${PRTE_MCA_plm_ssh_agent:-}" ] && command -v pbs_tmrsh >/dev/null; then
  export PRTE_MCA_plm_ssh_agent=pbs_tmrsh
fi
if [ "$LIMIT_SECONDS" -gt 0 ]; then
  QMPI_END_TIME=$(($(date +%s) + LIMIT_SECONDS))
  export QMPI_END_TIME
fi
requeue() {
  local script=$RUN/batch/pbs.sh
  if [ ! -e "$script" ]; then script=$0; fi
  qsub -W "depend=afterany:$job_id" -v "QMPI_REQUEUES=$((requeued + 1))" "$script"
}
