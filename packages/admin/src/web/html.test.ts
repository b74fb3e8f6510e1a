import { expect, test } from 'vitest'
import { html } from './html.ts'

test('every value is escaped, in text and in attributes', () => {
  const hostile = `"><script>alert('x')</script>&`
  expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(
    '<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">' +
      '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>',
  )
})

test('markup made by html goes in as it is, arrays are joined, and nothing is nothing', () => {
  const items = [html`<b>${1}</b>`, html`<b>${'<'}</b>`]
  expect(html`<p>${items}${false}${null}${undefined}${0}</p>`.text).toBe('<p><b>1</b><b>&lt;</b>0</p>')
})
