/** Group entries written by hand: any author, any parents, whether a device would write them or not. For tests of the group only. */
import { sign } from '../crypto/index.ts'
import { signEntry, type DeviceWrap, type KnownContent, type Role, type SignedEntry } from '../group/index.ts'
import { decodeEntry } from '../group/entry.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { assert } from '../lib/assert.ts'
import { encodeCbor } from '../lib/codec.ts'
import { epochOf, idBytes, type DeviceId, type MailboxId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface GroupLogCast {
  readonly random: Random
  readonly laptop: DeviceIdentity
  readonly desk: DeviceIdentity
  readonly phone: DeviceIdentity
  readonly stranger: DeviceIdentity
  /** By the laptop. */
  readonly genesis: SignedEntry
  device(name: string): DeviceIdentity
  add(author: DeviceIdentity, parents: readonly SignedEntry[], device: DeviceIdentity, role?: Role): SignedEntry
  role(author: DeviceIdentity, parents: readonly SignedEntry[], target: DeviceIdentity, role: Role): SignedEntry
  rename(author: DeviceIdentity, parents: readonly SignedEntry[], target: DeviceIdentity, name: string): SignedEntry
  relay(author: DeviceIdentity, parents: readonly SignedEntry[], relay: RelayInLog): SignedEntry
  /** Removals and rotations wrap their epoch for nobody: what is tested with these is who belongs. */
  remove(author: DeviceIdentity, parents: readonly SignedEntry[], target: DeviceIdentity): SignedEntry
  rotate(author: DeviceIdentity, parents: readonly SignedEntry[]): SignedEntry
  wrap(author: DeviceIdentity, parents: readonly SignedEntry[], device: DeviceIdentity): SignedEntry
  recovery(author: DeviceIdentity, parents: readonly SignedEntry[], phrase: DeviceIdentity): SignedEntry
  /** An entry that a later version might write; `fields` replace those of the unsigned entry. */
  future(author: DeviceIdentity, parents: readonly SignedEntry[], fields?: Readonly<Record<string, unknown>>): SignedEntry
}

export interface RelayInLog {
  readonly mailbox: MailboxId
  readonly relay: DeviceId
  readonly adminKey: Uint8Array
  readonly addresses?: readonly string[]
  readonly wraps?: readonly DeviceWrap[]
  readonly retired?: boolean
}

export function createGroupLogCast(seed: number): GroupLogCast {
  const random = createSeededRandom(seed)
  const device = (name: string): DeviceIdentity => createIdentity({ name, random })
  const laptop = device('laptop')
  const genesis = signEntry(
    {
      group: undefined,
      parents: [],
      time: 0,
      content: {
        kind: 'genesis',
        name: 'laptop',
        sealingKey: laptop.sealing.publicKey,
        rootDocument: random.bytes(16),
        box: random.bytes(105),
      },
    },
    laptop.signing,
  )
  const write = (author: DeviceIdentity, parents: readonly SignedEntry[], content: KnownContent): SignedEntry =>
    signEntry({ group: genesis.group, parents: parents.map(parent => parent.id), time: 0, content }, author.signing)
  return {
    random,
    laptop,
    desk: device('desk'),
    phone: device('phone'),
    stranger: device('stranger'),
    genesis,
    device,
    add: (author, parents, added, role = 'member') =>
      write(author, parents, { kind: 'add', device: added.id, sealingKey: added.sealing.publicKey, role, name: added.name, wraps: [] }),
    role: (author, parents, target, role) => write(author, parents, { kind: 'role', target: target.id, role }),
    rename: (author, parents, target, name) => write(author, parents, { kind: 'rename', target: target.id, name }),
    relay: (author, parents, said) => write(author, parents, { kind: 'relay', addresses: [], wraps: [], retired: false, ...said }),
    remove: (author, parents, target) => write(author, parents, { kind: 'remove', target: target.id, epoch: EPOCH }),
    rotate: (author, parents) => write(author, parents, { kind: 'rotate', epoch: EPOCH }),
    wrap: (author, parents, to) =>
      write(author, parents, { kind: 'wrap', epoch: epochOf(genesis.id), device: to.id, box: new Uint8Array(105) }),
    recovery: (author, parents, phrase) =>
      write(author, parents, {
        kind: 'recovery',
        key: phrase.id,
        sealingKey: phrase.sealing.publicKey,
        wraps: [],
        secretBox: new Uint8Array(105),
      }),
    future(author, parents, fields = { kind: 'adopt' }) {
      const bytes = signedEntryBytes(author, {
        v: 1,
        group: idBytes(genesis.group),
        author: author.signing.publicKey,
        parents: parents
          .map(parent => parent.id)
          .sort()
          .map(idBytes),
        kind: 'rename',
        body: {},
        time: 0,
        ...fields,
      })
      const decoded = decodeEntry(bytes)
      assert(decoded.ok, 'an entry from the future has a known envelope')
      return decoded.value
    },
  }
}

const EPOCH = { check: new Uint8Array(32), parents: [], wraps: [] }

/** `CBOR [unsigned, signature]` of whatever is given. */
export function signedEntryBytes(author: DeviceIdentity, unsigned: unknown): Uint8Array {
  const bytes = encodeCbor(unsigned)
  return encodeCbor([bytes, sign('group-entry', bytes, author.signing)])
}
