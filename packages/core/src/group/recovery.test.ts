import { expect, test } from 'vitest'
import { createRecoveryPhrase, recoveryKeysOf, signingKeysOf, type RecoveryKeys } from '../crypto/index.ts'
import { assert } from '../lib/assert.ts'
import { isSegueError } from '../lib/errors.ts'
import { deviceIdOf, hexId, type MailboxId } from '../lib/ids.ts'
import { createGroupCast, ruleRefusing } from '../testing/group-cast.ts'
import type { Group } from './group-interface.ts'
import { groupSecretIn, recoverGroup, type Recovered } from './recover.ts'
import type { RecoveryPublicKeys } from './trust.ts'

const cast = createGroupCast(91)
const { random, tell, verifier } = cast
const [laptop, desk, phone, fresh, other] = ['laptop', 'desk', 'phone', 'fresh', 'other'].map(cast.device) as [Dev, Dev, Dev, Dev, Dev]
type Dev = ReturnType<typeof cast.device>

function phrase(): RecoveryKeys & { readonly public: RecoveryPublicKeys } {
  const keys = recoveryKeysOf(createRecoveryPhrase(random))
  assert(keys.ok, 'a made phrase is a phrase')
  return { ...keys.value, public: { signing: keys.value.signing.publicKey, sealing: keys.value.sealing.publicKey } }
}
const [first, second, third] = [phrase(), phrase(), phrase()]

function three(): { onLaptop: Group; onDesk: Group; onPhone: Group } {
  const onLaptop = cast.found(laptop)
  cast.add(onLaptop, desk, 'admin')
  cast.add(onLaptop, phone)
  return { onLaptop, onDesk: cast.open(desk, onLaptop), onPhone: cast.open(phone, onLaptop) }
}
function recover(from: Group, keys: RecoveryKeys, lost: readonly Dev[], machine: Dev = fresh, replacement = second): Recovered {
  const entries = from.entries().map(entry => entry.bytes)
  const isLost = ({ id }: { id: string }): boolean => lost.some(device => device.id === id)
  return recoverGroup({
    keys,
    identity: machine,
    random,
    verifier,
    secret: from.secret,
    entries,
    isLost,
    replacement: replacement.public,
    time: 50,
  })
}
function activeIn(group: Group): readonly string[] {
  return group.state.peek().devices.flatMap(({ name, active }) => (active ? [name] : []))
}

test('[G53] a phrase is named by an admin, not by a member, and keeps the group secret for whoever has the words', () => {
  const { onLaptop, onDesk, onPhone } = three()
  expect(ruleRefusing(() => onPhone.setRecovery(first.public, { time: 2 }))).toBe('needsAdmin')
  const entry = onDesk.setRecovery(first.public, { time: 2 })
  tell(onLaptop, onDesk, onPhone)
  const named = onPhone.state.peek().recovery
  expect(named).toMatchObject({ id: deviceIdOf(first.public.signing), entry: entry.id, by: desk.id, at: 2 })
  assert(named !== undefined, 'the phrase is named')
  expect(groupSecretIn(named, first)).toEqual(onLaptop.secret)
  expect(groupSecretIn(named, second)).toBeUndefined()
  expect(ruleRefusing(() => onLaptop.setRecovery(first.public, { time: 3 }))).toBe('recoveryKeyIsNew')
})

test('[G53] every later epoch is for the phrase too; when another takes its place, what follows is not', () => {
  const { onLaptop } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  onLaptop.remove(phone.id, { time: 3 })
  const old = onLaptop.keyring.current().epoch
  expect(onLaptop.epochsKnownTo(deviceIdOf(first.public.signing)).has(old)).toBe(true)
  onLaptop.setRecovery(second.public, { time: 4 })
  const { epoch } = onLaptop.keyring.current()
  expect(epoch).not.toBe(old)
  expect(onLaptop.epochsKnownTo(deviceIdOf(first.public.signing)).has(epoch)).toBe(false)
  expect([...onLaptop.epochsKnownTo(deviceIdOf(second.public.signing))]).toEqual(expect.arrayContaining([old, epoch]))
  expect(onLaptop.duties()).toEqual([])
})

test('[G56] from the words, the log and the group secret: this machine in, the lost ones out, the phrase burned', () => {
  const { onLaptop, onDesk } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  onLaptop.rotate({ time: 3 })
  const before = onLaptop.keyring.current()
  const { group, written } = recover(onLaptop, first, [laptop, phone])
  expect(activeIn(group)).toEqual(['desk', 'fresh'])
  expect(group.device(fresh.id)?.role).toBe('admin')
  expect(group.keyring.secretOf(before.epoch)).toEqual(before.secret)
  expect(group.state.peek().recovery?.id).toBe(deviceIdOf(second.public.signing))
  onDesk.receive([...onLaptop.entries(), ...written].map(entry => entry.bytes))
  expect(onDesk.state.peek().devices).toEqual(group.state.peek().devices)
  const now = group.keyring.current()
  expect(onDesk.keyring.secretOf(now.epoch)).toEqual(now.secret)
  for (const gone of [laptop.id, phone.id, deviceIdOf(first.public.signing)]) {
    expect(group.epochsKnownTo(gone).has(now.epoch)).toBe(false)
  }
  // Not even between one entry and the next is anything made for the phrase that is being used.
  const made = written.flatMap(({ content }) => ('epoch' in content && typeof content.epoch === 'object' ? content.epoch.wraps : []))
  expect(made.filter(({ device }) => device === deviceIdOf(first.public.signing))).toEqual([])
})

test('[G56] a phrase that was used, was replaced or was never named does nothing', () => {
  const { onLaptop } = three()
  const codeOf = (task: () => unknown): unknown => {
    try {
      task()
    } catch (error) {
      return isSegueError(error) ? error.code : error
    }
    return undefined
  }
  expect(codeOf(() => recover(onLaptop, first, []))).toBe('RECOVERY_PHRASE_BURNED')
  onLaptop.setRecovery(first.public, { time: 2 })
  const { group } = recover(onLaptop, first, [laptop])
  expect(codeOf(() => recover(group, first, [], other, third))).toBe('RECOVERY_PHRASE_BURNED')
  expect(codeOf(() => recover(group, second, [], other, third))).toBeUndefined()
  onLaptop.setRecovery(second.public, { time: 3 })
  expect(codeOf(() => recover(onLaptop, first, [], other, third))).toBe('RECOVERY_PHRASE_BURNED')
})

test('[G54] [G39] a phrase outranks the first device of the group, whoever writes first', () => {
  const { onLaptop, onDesk } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  tell(onLaptop, onDesk)
  const { group } = recover(onDesk, first, [laptop])
  onLaptop.remove(desk.id, { time: 3 })
  cast.add(onLaptop, other, 'admin')
  tell(onLaptop, onDesk, group)
  for (const each of [onLaptop, onDesk, group]) expect(activeIn(each)).toEqual(['desk', 'phone', 'fresh'])
})

test('[G54] of two uses of one phrase at once one stands; of the other only the removals do', () => {
  const { onLaptop, onDesk } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  tell(onLaptop, onDesk)
  const one = recover(onLaptop, first, [phone], fresh, second).group
  const two = recover(onLaptop, first, [laptop, phone], other, third).group
  tell(one, two, onDesk)
  for (const each of [two, onDesk]) expect(each.state.peek()).toEqual(one.state.peek())
  expect(one.isActive(laptop.id)).toBe(false)
  expect([fresh, other].filter(({ id }) => one.isActive(id)).length).toBe(1)
  const stands = one.isActive(fresh.id) ? second : third
  expect(one.state.peek().recovery?.id).toBe(deviceIdOf(stands.public.signing))
})

test('[G55] a phrase in use prevails over an admin who replaces it meanwhile', () => {
  const { onLaptop, onDesk } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  tell(onLaptop, onDesk)
  const { group } = recover(onLaptop, first, [], fresh, second)
  onDesk.setRecovery(third.public, { time: 3 })
  tell(onLaptop, onDesk, group)
  for (const each of [onLaptop, onDesk, group]) {
    expect(each.state.peek().recovery?.id).toBe(deviceIdOf(second.public.signing))
    expect(each.isActive(fresh.id)).toBe(true)
  }
  onDesk.setRecovery(phrase().public, { time: 4 })
  tell(onDesk, group)
  expect(group.state.peek().recovery?.by).toBe(desk.id)
})

test('[G55] of two phrases that admins name at once all take the same', () => {
  const { onLaptop, onDesk, onPhone } = three()
  onLaptop.setRecovery(first.public, { time: 2 })
  onDesk.setRecovery(second.public, { time: 2 })
  tell(onLaptop, onDesk, onPhone)
  const said = [onLaptop, onDesk, onPhone].map(group => group.state.peek().recovery)
  expect(said[1]).toEqual(said[0])
  expect(said[2]).toEqual(said[0])
})

test('[G29] [G33] the phrase holds the admin key of a mailbox, and gives it to the machine that recovers', () => {
  const { onLaptop } = three()
  const mailbox = hexId<MailboxId>(random.bytes(16))
  onLaptop.setRecovery(first.public, { time: 2 })
  const adminSeed = random.bytes(32)
  onLaptop.addRelay({ relay: other.id, addresses: [], mailbox, adminSeed, time: 3 })
  expect(onLaptop.state.peek().relays[0]).toMatchObject({ needsMove: false })
  const { group } = recover(onLaptop, first, [laptop])
  expect(group.relayAdminKeys(mailbox)).toEqual(signingKeysOf(adminSeed))
  expect(group.state.peek().relays[0]).toMatchObject({ needsMove: true })
})

test('[G33] [G57] a phrase made after the mailbox is given its admin key when an admin looks', () => {
  const { onLaptop } = three()
  const mailbox = hexId<MailboxId>(random.bytes(16))
  onLaptop.addRelay({ relay: other.id, addresses: [], mailbox, adminSeed: random.bytes(32), time: 2 })
  onLaptop.setRecovery(first.public, { time: 3 })
  expect(onLaptop.shareRelayKeys(4).length).toBe(1)
  expect(onLaptop.shareRelayKeys(5)).toEqual([])
  expect(onLaptop.state.peek().relays[0]).toMatchObject({ needsMove: false })
  expect(recover(onLaptop, first, [laptop]).group.relayAdminKeys(mailbox)).toBeDefined()
})
