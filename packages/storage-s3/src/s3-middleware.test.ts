import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { expect, it } from 'vitest'
import { addMiddleware } from './s3-middleware.ts'

it('leaves the event loop to the app between the steps of a request', async () => {
  let turns = 0
  let isOver = false
  const count = (): void => {
    turns++
    if (!isOver) setImmediate(count)
  }
  let turnsBeforeSending = 0
  const client = new S3Client({
    region: 'eu-central-1',
    endpoint: 'http://127.0.0.1:1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'key' },
    maxAttempts: 1,
    requestHandler: {
      async handle() {
        turnsBeforeSending = turns
        throw new Error('as far as it goes')
      },
    },
  })
  addMiddleware(client, {})
  setImmediate(count)
  await expect(client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).rejects.toThrow('as far as it goes')
  isOver = true
  client.destroy()
  expect(turnsBeforeSending).toBeGreaterThanOrEqual(4)
})
