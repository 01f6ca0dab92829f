# On LSF: `-Q 75` queues again what exits with 75, under the same number. blaunch(1) starts mpirun's
# daemons without ssh, under the eyes of LSF.
job_id=${LSB_JOBID:-0}
if [ "${LSB_JOBINDEX:-0}" -gt 0 ]; then job_id=${job_id}_$LSB_JOBINDEX; fi
requeued=0
if [ -z "${PRTE_MCA_plm_ssh_agent:-}" ] && command -v blaunch >/dev/null; then
  export PRTE_MCA_plm_ssh_agent=blaunch
fi
if [ "$LIMIT_SECONDS" -gt 0 ]; then
  QMPI_END_TIME=$(($(date +%s) + LIMIT_SECONDS))
  export QMPI_END_TIME
fi
requeue() { :; }
