/** A replica without keys, such as a relay, in the company of a document cast: only its links and its store are there. */
import { utf8 } from '../lib/bytes.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import { createReplica, keylessInspector } from '../replication/index.ts'
import type { DocumentDevice } from './document-cast.ts'
import { createMemoryChunkStore } from './memory-chunk-store.ts'
import { createSeededRandom } from './seeded-random.ts'

export async function createBlindDevice(clock: Clock, name: string): Promise<DocumentDevice> {
  const store = createMemoryChunkStore()
  const random = createSeededRandom(utf8(name).reduce((sum, byte) => 31 * sum + byte, 7))
  const replica = await createReplica({ store, inspector: keylessInspector, clock, random, keyless: true })
  return { id: name as DeviceId, store, replica } as unknown as DocumentDevice // `link` asks for no more
}
