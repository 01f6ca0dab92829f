# On Slurm: scontrol(1) `requeue` puts this very job back into the queue. An element of an array is
# named by its index, since the number of one of them stands for all.
job_id=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job_id=${job_id:-${SLURM_JOB_ID:-0}}
requeued=${SLURM_RESTART_COUNT:-0}
# A step of a lost node shall not take the allocation along (sbatch(1), --no-kill).
export SLURM_NO_KILL=set  # the only word that srun takes here
requeue() { scontrol requeue "$job_id"; }
