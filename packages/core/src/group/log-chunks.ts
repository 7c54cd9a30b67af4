/** Entries as sealed chunks of class log: under the log key, which never changes, so whoever slept can follow. */
import { GROUP_DOCUMENT_ID, isNamedRight, openChunk, sealChunk, type Keyring } from '../crypto/index.ts'
import { LOG_EPOCH, idBytes, type GroupId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { decodeEntry, type SignedEntry } from './entry.ts'

interface Parts {
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
}

export function sealEntry(entry: SignedEntry, { keyring, random, hasher }: Parts): SealedChunk {
  return sealChunk({
    keys: keyring,
    epoch: LOG_EPOCH,
    epochSecret: keyring.logKey,
    class: 'log',
    documentId: GROUP_DOCUMENT_ID,
    contentKey: idBytes(entry.id),
    sequence: 0,
    content: entry.bytes,
    random,
    ...(hasher === undefined ? {} : { hasher }),
  })
}

/** The signed entry in a log chunk, compared with the chunk's id. */
export function openEntry(
  chunk: SealedChunk,
  group: GroupId,
  isGenuine: (entry: SignedEntry) => boolean,
  { keyring, hasher }: Parts,
): Result<Uint8Array, string> {
  if (chunk.class !== 'log') return failed('not a log chunk')
  const opened = openChunk(chunk, keyring.logKey)
  if (!opened.ok) return opened
  const entry = decodeEntry(opened.value.content, hasher)
  if (!entry.ok) return entry
  if (entry.value.group !== group) return failed('of another group')
  if (!isNamedRight(chunk, keyring, opened.value.documentId, idBytes(entry.value.id), hasher)) return failed('not what its id says')
  return isGenuine(entry.value) ? ok(opened.value.content) : failed('bad signature')
}
