/** Groups of real devices that tell each other when a test says so. Signatures are real; each is checked once for all of them. */
import { portableVerifier } from '../crypto/index.ts'
import { foundGroup, openGroup, type Group, type Role } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { toHex } from '../lib/bytes.ts'
import { isSegueError } from '../lib/errors.ts'
import type { Random } from '../ports/random.ts'
import type { Verifier } from '../ports/verifier.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface GroupCast {
  readonly random: Random
  readonly verifier: Verifier
  device(name: string): DeviceIdentity
  found(by: DeviceIdentity): Group
  add(group: Group, device: DeviceIdentity, role?: Role): void
  /** The group as another device, or this one anew, holds it. */
  open(device: DeviceIdentity, like: Group): Group
  /** Everybody tells everybody everything. */
  tell(...groups: readonly Group[]): void
}

export function createGroupCast(seed: number): GroupCast {
  const random = createSeededRandom(seed)
  const verifier = rememberingVerifier()
  return {
    random,
    verifier,
    device: name => createIdentity({ name, random }),
    found: identity => foundGroup({ identity, random, time: 0, verifier }),
    add(group, { signing, sealing, name }, role = 'member') {
      group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 1 })
    },
    open: (identity, like) =>
      openGroup({ identity, random, secret: like.secret, entries: like.entries().map(entry => entry.bytes), verifier }),
    tell(...groups) {
      for (const from of groups) for (const to of groups) if (from !== to) to.receive(from.entries().map(entry => entry.bytes))
    },
  }
}

/** The rule for which a change to the group was refused; undefined when it was not. */
export function ruleRefusing(write: () => unknown): unknown {
  try {
    write()
  } catch (error) {
    return isSegueError(error, 'GROUP_ENTRY_REFUSED') ? error.details['rule'] : error
  }
  return undefined
}

/** The same answers, each worked out once. */
export function rememberingVerifier(): Verifier {
  const answers = new Map<string, boolean>()
  return {
    verify(signature, message, publicKey) {
      const question = `${toHex(signature)} ${toHex(message)} ${toHex(publicKey)}`
      const answer = answers.get(question) ?? portableVerifier.verify(signature, message, publicKey)
      answers.set(question, answer)
      return answer
    },
  }
}
