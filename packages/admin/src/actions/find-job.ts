import type { Job } from '../jobs.ts'
import { AdminError } from '../web/admin-error.ts'
import { databaseOf, type Exchange } from '../web/exchange.ts'

/** The job in the path, of this process or on record. @throws AdminError `JOB_UNKNOWN` */
export async function findJob(exchange: Exchange): Promise<Job> {
  const { admin, params } = exchange
  const job = await admin.jobs.find(databaseOf(exchange), params.id ?? '')
  if (job !== undefined) return job
  throw new AdminError(404, 'JOB_UNKNOWN', 'There is no such job.', {
    hint: 'Jobs are known for a week. The audit log and the list of backups say what was done.',
  })
}
