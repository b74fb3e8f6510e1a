// Upload and download as a careful person's script would do it, in a process of its own.
//   node by-hand.mjs put|get <file> '{"bucket":…, "endpoint":…, …}'
import { createWriteStream, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

const PART_BYTES = 8 * 1024 * 1024

/** What lib-storage does: parts of 8 MiB, four at a time. */
export async function upload(client, file, Bucket, Key) {
  const { size } = statSync(file)
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const handle = await open(file)
  const Parts = []
  let next = 0
  const lane = async () => {
    for (let i = next++; i * PART_BYTES < size; i = next++) {
      const Body = Buffer.alloc(Math.min(PART_BYTES, size - i * PART_BYTES))
      await handle.read(Body, 0, Body.length, i * PART_BYTES)
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: i + 1, Body }))
      Parts.push({ ETag, PartNumber: i + 1 })
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  Parts.sort((a, b) => a.PartNumber - b.PartNumber)
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
  await handle.close()
}

if (import.meta.filename === process.argv[1]) {
  const [, , verb, file, storage] = process.argv
  const { bucket, accessKeyId, secretAccessKey, ...rest } = JSON.parse(storage)
  const client = new S3Client({
    ...rest,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  if (verb === 'put') await upload(client, file, bucket, 'by-hand')
  else {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'by-hand' }))
    await pipeline(Body, createWriteStream(file))
  }
  client.destroy()
}
