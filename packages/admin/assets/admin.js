// What a page gains when scripts run: it stays up to date, and times are the reader's own. Everything works without.

const announce = document.querySelector('.announce')

/** The reader's own time beside UTC, when it is another one. */
function localTimes(root) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  for (const time of root.querySelectorAll('time[data-moment], time[data-clock]')) {
    const date = new Date(time.dateTime)
    if (Number.isNaN(date.getTime()) || date.getTimezoneOffset() === 0) continue
    const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    if (time.dataset.clock !== undefined) {
      time.textContent = clock
      time.removeAttribute('data-clock')
      continue
    }
    const isToday = date.toDateString() === new Date().toDateString()
    const year = date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric'
    const local = isToday ? clock : `${date.toLocaleDateString([], { month: 'short', day: 'numeric', year })}, ${clock}`
    // Around midnight it is another day there.
    const isSameDay = date.getUTCDate() === date.getDate()
    time.title = `${time.textContent} (your time: ${date.toLocaleString()})`
    time.textContent = `${local} (${time.dateTime.slice(isSameDay ? 11 : 5, 16).replace('T', ' ')} UTC)`
    time.removeAttribute('data-moment')
  }
  if (new Date().getTimezoneOffset() === 0) return
  for (const zone of root.querySelectorAll('[data-zone]')) zone.textContent = `your time, ${timeZone}`
  for (const field of root.querySelectorAll('input[data-utc]')) localField(field)
}

/** A field for a moment shows the reader's own time, and sends UTC. */
function localField(field) {
  field.removeAttribute('data-utc')
  const sent = document.createElement('input')
  sent.type = 'hidden'
  sent.name = field.name
  field.removeAttribute('name')
  field.after(sent)
  const given = new Date(`${field.value}Z`)
  if (!Number.isNaN(given.getTime())) {
    const local = new Date(given.getTime() - given.getTimezoneOffset() * 60_000)
    field.value = local.toISOString().slice(0, 16)
  }
  field.form.addEventListener('submit', () => {
    const date = new Date(field.value)
    // To the end of the minute: lists show no seconds.
    if (!Number.isNaN(date.getTime())) sent.value = new Date(date.getTime() + 59_999).toISOString()
  })
}

/** A button that would only be refused is off until what has to be typed is typed. */
function confirmations(root) {
  for (const field of root.querySelectorAll('[data-must-equal]')) {
    const button = field.form.querySelector('button')
    const update = () => {
      button.disabled = field.value !== field.dataset.mustEqual
    }
    field.addEventListener('input', update)
    update()
  }
}

/** A second click is no second backup. */
function sendOnce(root) {
  for (const form of root.querySelectorAll('form[method=post]')) {
    form.addEventListener('submit', () => {
      for (const button of form.querySelectorAll('button')) setTimeout(() => (button.disabled = true))
      // A download leaves the page where it is.
      if (form.action.includes('/download')) {
        setTimeout(() => {
          for (const button of form.querySelectorAll('button')) button.disabled = false
        }, 4000)
      }
    })
  }
}

function enhance(root) {
  localTimes(root)
  confirmations(root)
  sendOnce(root)
}

let looking = false
let again = false

/** Looks at this very page again and takes over what is marked as live; what has the focus keeps it. */
async function refresh() {
  if (looking) {
    again = true
    return
  }
  looking = true
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } })
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    // Something else than this page: a login, or a sentence that nobody may enter any more.
    if (response.status < 500 && fresh.querySelector('[data-live]') === null)
      return tellStale('You may have to sign in again.')
    if (!response.ok) return tellStale('It could not be read again.')
    takeOver(fresh)
    document.querySelector('.stale')?.remove()
    freshAt = new Date()
  } catch {
    // The app may be restarting: the stream comes back by itself, and then the page looks again.
    tellStale('The app does not answer.')
  } finally {
    looking = false
    if (again) {
      again = false
      later(0)
    }
  }
}

function takeOver(fresh) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`)
    if (next === null || part.contains(document.activeElement?.closest('input, select') ?? null)) continue
    const focused = part.contains(document.activeElement) ? document.activeElement.textContent : undefined
    const headlineBefore = part.querySelector('h1')?.textContent
    part.replaceWith(next)
    enhance(next)
    if (focused !== undefined) {
      for (const each of next.querySelectorAll('a, button')) {
        if (each.textContent === focused) {
          each.focus({ preventScroll: true })
          break
        }
      }
    }
    const said = next.querySelector('.notice.good, .notice.bad, .notice.warning')?.textContent ?? ''
    if (headlineBefore !== next.querySelector('h1')?.textContent || said !== '')
      announce.textContent = said.trim().slice(0, 200)
  }
}

let freshAt = new Date()
/** "Safe" that is an hour old is worse than nothing: a page that cannot be renewed says so. */
function tellStale(why) {
  const main = document.querySelector('main')
  const bar = main.querySelector('.stale') ?? document.createElement('div')
  if (!bar.isConnected) {
    bar.className = 'notice warning stale'
    bar.setAttribute('role', 'status')
    main.prepend(bar)
  }
  const since = freshAt.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  bar.textContent = `This page is as it was at ${since}. ${why}`
}

let timer
function later(ms) {
  clearTimeout(timer)
  timer = setTimeout(refresh, ms)
}

function formatBytes(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
  let unit = 0
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000
    unit++
  }
  return `${unit === 0 || bytes >= 99.95 ? Math.round(bytes) : bytes.toFixed(1).replace(/\.0$/, '')} ${units[unit]}`
}

let soon
/** While work goes on: its phase and the time that is left are the server's words. */
function refreshSoon() {
  if (soon !== undefined) return
  soon = setTimeout(() => {
    soon = undefined
    refresh()
  }, 2000)
}

/** Bars move without asking the server for the page. */
function progress({ running }) {
  refreshSoon()
  const bars = document.querySelectorAll('.progress progress')
  if (bars.length !== running.length) return
  running.forEach(({ doneBytes, totalBytes }, index) => {
    if (!totalBytes) return
    const bar = bars[index]
    bar.max = totalBytes
    bar.value = doneBytes
    const text = bar.parentElement.querySelector('.muted')
    if (text !== null)
      text.textContent = text.textContent.replace(
        /[\d.]+ [KMGTP]?B of [\d.]+ [KMGTP]?B/,
        `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
      )
  })
}

/** What is seen listens. A browser gives a site six connections (HTTP/1.1): tabs behind others should not hold them. */
function listen() {
  if (document.querySelector('[data-live]') === null) return
  let stream
  const open = () => {
    if (stream !== undefined) return
    stream = new EventSource(document.body.dataset.events)
    let isFirst = true
    stream.addEventListener('changed', () => later(250))
    stream.addEventListener('progress', (event) => progress(JSON.parse(event.data)))
    stream.addEventListener('open', () => {
      document.body.classList.add('is-live')
      // What happened while nobody listened.
      if (!isFirst) later(0)
      isFirst = false
    })
    stream.addEventListener('error', () => {
      document.body.classList.remove('is-live')
      // Refused, not broken: the browser does not try again.
      if (stream?.readyState === EventSource.CLOSED) stream = undefined
      later(500)
    })
  }
  const close = () => {
    stream?.close()
    stream = undefined
  }
  open()
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') return close()
    open()
    later(0)
  })
  // Ages grow by themselves.
  setInterval(() => {
    if (document.visibilityState === 'hidden') return
    open()
    later(0)
  }, 60_000)
  addEventListener('pagehide', close)
  addEventListener('pageshow', (event) => event.persisted && open())
}

enhance(document)
listen()
