// What a page gains when scripts run: it stays up to date, and times are the reader's own. Everything works without.

const announce = document.querySelector('.announce')

/** The reader's own time beside UTC, when it is another one. */
function localTimes(root) {
  for (const time of root.querySelectorAll('time[data-moment]')) {
    const date = new Date(time.dateTime)
    if (Number.isNaN(date.getTime()) || date.getTimezoneOffset() === 0) continue
    const isToday = date.toDateString() === new Date().toDateString()
    const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    const local = isToday ? clock : `${date.toLocaleDateString([], { dateStyle: 'medium' })}, ${clock}`
    time.title = `${time.textContent} (your time: ${date.toLocaleString()})`
    time.textContent = `${local} (${time.dateTime.slice(isToday ? 11 : 5, 16).replace('T', ' ')} UTC)`
    time.removeAttribute('data-moment')
  }
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
    if (!response.ok) return
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
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
  } catch {
    // The app may be restarting: the stream comes back by itself, and then the page looks again.
  } finally {
    looking = false
    if (again) {
      again = false
      later(0)
    }
  }
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

function listen() {
  if (document.querySelector('[data-live]') === null) return
  const stream = new EventSource(document.body.dataset.events)
  stream.addEventListener('changed', () => later(250))
  stream.addEventListener('progress', (event) => progress(JSON.parse(event.data)))
  stream.addEventListener('open', () => document.body.classList.add('is-live'))
  stream.addEventListener('error', () => document.body.classList.remove('is-live'))
  // Ages grow by themselves.
  setInterval(() => document.visibilityState === 'visible' && later(0), 60_000)
  addEventListener('pagehide', () => stream.close())
}

enhance(document)
listen()
