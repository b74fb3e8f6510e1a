import { openEventStream } from './web/event-stream.ts'
import type { Exchange } from './web/exchange.ts'

// Who may enter is asked once for a stream. Browsers come back by themselves, and are asked again.
const LIFE_MS = 5 * 60_000

/**
 * What goes on, as it goes on: `progress` with what is running, `changed` when a page should be looked at again. Names
 * and numbers only, so there is nothing to escape.
 */
export function openActivityStream({ admin, request }: Exchange): Response {
  const { activity, jobs } = admin
  const stream = openEventStream(() => {
    clearTimeout(life)
    stopActivity()
    stopJobs()
    admin.streams.delete(stream)
  })
  const stopActivity = activity.onChange((name) => {
    if (name.endsWith('.progress')) stream.send('progress', { running: activity.running() })
    else stream.send('changed', { event: name })
  })
  const stopJobs = jobs.onChange(() => stream.send('changed', { event: 'job' }))
  const life = setTimeout(() => stream.close(), LIFE_MS)
  life.unref()
  admin.streams.add(stream)
  request.signal.addEventListener('abort', () => stream.close(), { once: true })
  stream.send('progress', { running: activity.running() })
  return stream.response
}
