/** Notices in words. Names come from whoever shows them: none is kept with a notice. */
import type { DeviceId } from '@segue/core'
import type { Notice, NoticeKind } from './notice.ts'

export interface NoticeText {
  readonly what: string
  /** The one thing to do, if it was not what the person wanted. */
  readonly next: string
}

export interface NoticeNames {
  readonly self: DeviceId
  /** Of a device or a relay. */
  readonly nameOf: (id: DeviceId) => string
}

export function noticeText(notice: Notice, { self, nameOf }: NoticeNames): NoticeText {
  const { kind, subject, by, count } = notice
  const isOwn = subject === self
  const name = subject === undefined ? 'a device' : nameOf(subject)
  const byWhom = by === undefined ? '' : by === self ? ', by this device' : `, by ${nameOf(by)}`
  return TEXTS[kind]({ name, isOwn, byWhom, count })
}

interface Words {
  /** Of the subject. */
  readonly name: string
  /** It is this device. */
  readonly isOwn: boolean
  readonly byWhom: string
  readonly count: number
}

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`)

const TEXTS: Readonly<Record<NoticeKind, (words: Words) => NoticeText>> = {
  'wrong-code': ({ count }) => ({
    what: `Wrong digits were typed while this device let another one in: ${times(count)}.`,
    next: 'If that was not you: lock this device (segue lock), and look at who is in the group (segue devices).',
  }),
  'stranger-refused': ({ count }) => ({
    what: `Somebody who is not in your group came to this device and was turned away: ${times(count)}.`,
    next: 'Nothing has to be done: a device of somebody else nearby does that. segue doctor says what is around.',
  }),
  'device-added': ({ name, byWhom }) => ({
    what: `“${name}” was let into your group${byWhom}. It can read everything.`,
    next: `If that was not you: segue devices remove "${name}"`,
  }),
  'device-removed': ({ name, byWhom }) => ({
    what: `“${name}” was removed from your group${byWhom}.`,
    next: `segue devices show "${name}" says who knows. If that was not you: segue audit`,
  }),
  'device-promoted': ({ name, isOwn, byWhom }) => ({
    what: `${isOwn ? 'This device' : `“${name}”`} was made an admin${byWhom}: it may let devices in and remove them.`,
    next: `If that was not you: segue devices demote "${name}"`,
  }),
  'same-key-twice': ({ name, isOwn, count }) => ({
    what: isOwn
      ? `The keys of this device are on a second machine, which was on at the same time: seen ${times(count)}. A copy of its disk or backup is running.`
      : `The keys of “${name}” are on two machines that were on at the same time: seen ${times(count)}. A copy of its disk or backup is running.`,
    next: isOwn
      ? `Remove this device from another one (segue devices remove "${name}"), which cuts both machines; then pair the one that you keep anew.`
      : `segue devices remove "${name}" cuts both machines; then pair the one that you keep anew.`,
  }),
  'store-went-back': ({ name, isOwn }) => ({
    what: isOwn
      ? 'This device has less than it once gave to others: its data was put back to an earlier state, or is a copy.'
      : `“${name}” has less than it once had: its data was put back to an earlier state, or its disk lost something.`,
    next: 'What it lacks is given to it again. If you put nothing back, check its disk; if it is a copy, remove that device and pair it anew.',
  }),
  'clock-off': ({ name }) => ({
    what: `The clocks of this device and “${name}” are more than five minutes apart. Nothing is decided by clocks, but times shown are wrong.`,
    next: 'Set the clock that is wrong; segue doctor says by how much they differ.',
  }),
  'many-deleted': ({ name, isOwn }) => ({
    what: `Unusually much was deleted at once on ${isOwn ? 'this device' : `“${name}”`}. Here it is still there, and waits for you.`,
    next: 'segue deletions shows it: let it go, or keep it. If that was not you, remove that device.',
  }),
  'relay-behind': ({ name }) => ({
    what: `The relay ${name} holds or shows less than it confirmed.`,
    next: 'segue relay list says what is known. What it lost it is given again; one that withholds should be given up (segue relay remove).',
  }),
  'update-needed': () => ({
    what: 'An admin of your group uses something that this version does not know. Until then this device changes nothing in the group but removals.',
    next: 'Update Segue on this device.',
  }),
}
