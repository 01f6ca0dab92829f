#!/bin/bash
#SBATCH --job-name=cluster
#SBATCH --nodes=64
#SBATCH --ntasks-per-node=10
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --no-kill
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --gpus-per-node=8
#SBATCH --array=0-2
#SBATCH --partition=gpu
#SBATCH --account=me
#
# Written by `qmpi submit`. How the job lies on the nodes:
#   583 ranks on 64 hosts: 1 coordinator, 29 generators, 29 memories, 500 trainers, 12 replicas, 12 spares; 375 asked for, so 208 trainers more
#   on a node: 0 to 1 coordinator, 0 to 1 generator, 0 to 1 memory, 7 to 8 trainers, 0 to 1 replica, 0 to 1 spare
#   a trainer or spare has a GPU of its own, of 8 on a node
#
# The directives above ask for the nodes; what is started there stands here. Change both alike.
NODES=64
RANKS_PER_HOST=10
RANKS=583
LIMIT_SECONDS=43200  # of the allocation; 0: as the batch system says
WARN_SECONDS=180  # so long before the limit the run stops in order
TRIES=5  # starts of `qmpi train` within one allocation, should it be killed itself
REQUEUES=1000  # times that this job is queued again
JOB=/project/me/cluster.toml
RUN=/project/me/runs/cluster
WORKDIR=/project/me  # where relative paths count from
QMPI=(qmpi)
OPTIONS=()

cd -- "$WORKDIR" || exit 2

# On Slurm: scontrol(1) `requeue` puts this very job back into the queue. An element of an array is
# named by its index, since the number of one of them stands for all.
job_id=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job_id=${job_id:-${SLURM_JOB_ID:-0}}
requeued=${SLURM_RESTART_COUNT:-0}
# A step of a lost node shall not take the allocation along (sbatch(1), --no-kill).
export SLURM_NO_KILL=set  # the only word that srun takes here
requeue() { scontrol requeue "$job_id"; }

# One run for each value, in a directory of its own.
VALUES=(0 1 2)
index=${SLURM_ARRAY_TASK_ID:-0}
RUN=$RUN/$index
varied=(--set job.seed"=${VALUES[$index]}")
mkdir -p -- "$RUN/batch" || exit 3
log=$RUN/batch/$job_id.log
echo "qmpi: what happens is written to $log"
exec >>"$log" 2>&1 || exit 3
say() { echo "qmpi: $(date '+%F %T') $*"; }

# `qmpi train` is the loop around the job: it probes the hosts, starts the ranks on those that live,
# and starts them again from the newest snapshot when the job died. It runs beside this script, so
# that a signal for the script reaches it at once: bash runs no trap while it waits for a command in
# the foreground.
pid='' asked='' pending='' heard='' insisted=''
# shellcheck disable=SC2317,SC2329  # traps call it
forward() {
  heard=1
  asked=${asked:-$1}
  # The second that insists would end the ranks at once; a scheduler sends several, then SIGKILL.
  if [ "$1" = TERM ]; then
    if [ -n "$insisted" ]; then return; fi
    insisted=1
  fi
  if [ -n "$pid" ]; then kill -s "$1" "$pid" 2>/dev/null; else pending=$1; fi
}
trap 'forward TERM' TERM INT
trap 'forward USR1' USR1 USR2 XCPU

start() {
  local run=("$JOB" --run-dir "$RUN")
  # After its own death its ranks may go on: --resume follows them instead of refusing to start.
  if [ "$1" -gt 1 ] && [ -e "$RUN/job.toml" ]; then run=(--resume "$RUN"); fi
  "${QMPI[@]}" train "${run[@]}" --quiet -n "$RANKS" --ranks-per-host "$RANKS_PER_HOST" \
    --stop-before "$WARN_SECONDS" "${OPTIONS[@]}" "${varied[@]}" </dev/null &
  pid=$!
  if [ -n "$pending" ]; then
    kill -s "$pending" "$pid" 2>/dev/null
    pending=''
  fi
}

await() { # a signal ends a wait, not what is waited for
  heard=1
  while [ -n "$heard" ]; do
    heard=''
    wait "$pid"
    code=$?
  done
  pid=''
}

say "job $job_id: $RANKS ranks on $NODES nodes, run $RUN, limit $LIMIT_SECONDS s"
code=75
for try in $(seq "$TRIES"); do
  if [ -n "$asked" ]; then break; fi
  start "$try"
  await
  # Below 128 it says itself how the run ended; above, it was killed, as by a lack of memory.
  if [ "$code" -le 128 ]; then break; fi
  say "qmpi train was killed (exit code $code), start $try of $TRIES"
done

# 75: to be queued again. Killed after a warning, the newest snapshot is what the next job begins at.
if [ "$code" -eq 75 ] || { [ "$code" -gt 128 ] && [ -n "$asked" ]; }; then
  case $asked in
    TERM)
      say "cancelled; \`qmpi submit\` or this script goes on from the newest snapshot"
      exit 143
      ;;
  esac
  if [ "$requeued" -ge "$REQUEUES" ]; then
    say "queued again $requeued times already; hand it in anew to go on"
    exit 3
  fi
  say "queued again"
  requeue || exit 3
  exit 75
fi
say "ended with exit code $code"
exit "$code"
