import { allOrders } from '../database'

export const dynamic = 'force-dynamic'

export default function Page() {
  return (
    <main>
      <h1>Orders</h1>
      <ol>
        {allOrders().map(({ id, item }) => (
          <li key={id}>{item}</li>
        ))}
      </ol>
    </main>
  )
}
