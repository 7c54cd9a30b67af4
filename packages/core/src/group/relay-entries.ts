/** What a device writes and knows of the group's mailboxes on relays. */
import { signingKeysOf } from '../crypto/index.ts'
import { SegueError } from '../lib/errors.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import type { MailboxId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { MAX_RELAYS } from '../wire/limits.ts'
import type { DeviceWrap, SignedEntry } from './entry.ts'
import type { Group } from './group-interface.ts'
import type { GroupLog } from './group-log.ts'
import type { GroupDevice, GroupRelay } from './reduce.ts'
import { createRelayKeys, wrapSeed } from './relay-keys.ts'

export type RelayEntries = Pick<Group, 'addRelay' | 'moveRelay' | 'retireRelay' | 'shareRelayKeys' | 'relayAdminKeys'> & {
  learn(entry: SignedEntry): void
}

export function createRelayEntries(log: GroupLog, identity: DeviceIdentity, random: Random): RelayEntries {
  const keys = createRelayKeys(identity)

  const relayIn = (mailbox: MailboxId): GroupRelay => {
    const relay = log.evaluation().relays.find(each => each.mailbox === mailbox)
    if (relay === undefined) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'mailboxIsKnown' })
    return relay
  }
  const sayRelay = ({ id, ...relay }: GroupRelay, wraps: readonly DeviceWrap[], time: number): SignedEntry =>
    log.write(
      {
        kind: 'relay',
        relay: id,
        addresses: relay.addresses,
        mailbox: relay.mailbox,
        adminKey: relay.adminKey,
        wraps,
        retired: relay.retired,
      },
      time,
    )

  /** The active admins, and the recovery phrase: it lets the machine that recovers in. */
  const holders = (): readonly Pick<GroupDevice, 'id' | 'sealingKey'>[] => {
    const { recovery } = log.evaluation()
    return recovery === undefined ? log.activeAdmins() : [...log.activeAdmins(), recovery]
  }

  return {
    learn: keys.learn,
    addRelay({ relay, addresses, mailbox, adminSeed, time }) {
      if (log.evaluation().relays.filter(each => !each.retired).length >= MAX_RELAYS) {
        throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'relaysHaveRoom' })
      }
      const adminKey = signingKeysOf(adminSeed).publicKey
      const wraps = wrapSeed(adminSeed, holders(), random)
      return log.write({ kind: 'relay', relay, addresses, mailbox, adminKey, wraps, retired: false }, time)
    },
    moveRelay: (mailbox, addresses, time) => sayRelay({ ...relayIn(mailbox), addresses }, [], time),
    retireRelay: (mailbox, time) => sayRelay({ ...relayIn(mailbox), retired: true }, [], time),
    shareRelayKeys(time) {
      const all = holders()
      if (log.evaluation().needsUpdate || !all.some(({ id }) => id === identity.id)) return []
      return log.together(() =>
        log.evaluation().relays.flatMap(relay => {
          const seed = relay.retired ? undefined : keys.seedOf(relay.adminKey)
          const lacking = all.filter(({ id }) => !relay.keyHolders.includes(id))
          return seed === undefined || lacking.length === 0 ? [] : [sayRelay(relay, wrapSeed(seed, lacking, random), time)]
        }),
      )
    },
    relayAdminKeys(mailbox) {
      const relay = log.evaluation().relays.find(each => each.mailbox === mailbox)
      const seed = relay === undefined ? undefined : keys.seedOf(relay.adminKey)
      return seed === undefined ? undefined : signingKeysOf(seed)
    },
  }
}
