import { addOrder, allOrders } from '../../database'

export const dynamic = 'force-dynamic'

export function GET() {
  return Response.json(allOrders())
}

export async function POST(request: Request) {
  const { item } = await request.json()
  return Response.json(addOrder(String(item)))
}
