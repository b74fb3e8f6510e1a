import { assertPrefix, compareKeys, type ListedObject, type ListOptions, type ListPage } from '@sqlite-backup/core'
import { plainEtag, type S3Context } from './s3-context.ts'

/** One page of ListObjectsV2. */
export async function listObjects(
  context: S3Context,
  { prefix = '', after, delimiter, limit = 1000, cursor, signal }: ListOptions = {},
): Promise<ListPage> {
  assertPrefix(prefix)
  const root = context.settings.prefix
  const output = await context.connection.call({ operation: 'list', signal }, ({ client, sdk, http }) =>
    client.send(
      new sdk.ListObjectsV2Command({
        Bucket: context.settings.bucket,
        Prefix: root + prefix,
        MaxKeys: Math.min(limit, 1000),
        // XML has no way to write some characters a key may have.
        EncodingType: 'url',
        ...(after !== undefined && { StartAfter: root + after }),
        ...(delimiter !== undefined && { Delimiter: delimiter }),
        ...(cursor !== undefined && { ContinuationToken: cursor }),
      }),
      http,
    ),
  )
  const decode = output.EncodingType === 'url' ? decodeKey : (key: string) => key
  const isAfter = (line: string) => after === undefined || compareKeys(line, after) > 0
  const objects: ListedObject[] = []
  for (const { Key, Size, LastModified, ETag } of output.Contents ?? []) {
    const key = decode(Key ?? '').slice(root.length)
    // An empty name or a slash at the end are folder markers that consoles make.
    if (key === '' || key.endsWith('/')) continue
    const etag = plainEtag(ETag)
    objects.push({
      key,
      sizeBytes: Size ?? 0,
      ...(LastModified !== undefined && { modified: LastModified }),
      ...(etag !== undefined && { etag }),
    })
  }
  const prefixes = (output.CommonPrefixes ?? [])
    .map(({ Prefix }) => decode(Prefix ?? '').slice(root.length))
    // S3 shows the folder that `after` lies in again when more keys follow in it.
    .filter(isAfter)
  return {
    objects,
    prefixes,
    ...(output.IsTruncated && output.NextContinuationToken !== undefined && { cursor: output.NextContinuationToken }),
  }
}

/** Form encoding, where a space is a plus. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '))
}
