/**
 * Tells the devices of the group that this machine leaves: an admin removes itself there, a member says that it leaves. Its own view of
 * that group stays as it was: it is left a moment later, and a removal here would be somebody else's business.
 */
import { GROUP_DOC_TAG, openGroup, type DeviceIdentity } from '@segue/core'
import type { Clock, Logger, Random } from '@segue/core/ports'
import type { Runtime } from '../runtime.ts'

interface Parts {
  readonly identity: DeviceIdentity
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Resolves once the word went out on the links there are, which is no promise that it arrived. Never rejects. */
export async function sayGoodbye({ group, replica, leaving }: Runtime, { identity, clock, random, logger }: Parts): Promise<void> {
  const others = group.state.peek().devices.some(device => device.active && device.id !== identity.id)
  if (!others) return
  const removeItself = (): Promise<void> => {
    const view = openGroup({ identity, random, secret: group.secret, entries: group.entries().map(({ bytes }) => bytes), id: group.id })
    const removal = view.remove(identity.id, { time: clock.now() })
    return replica.add([view.toChunk(removal)])
  }
  const onFailed = (error: unknown): void => logger.warn('left-group-not-told', { docTag: GROUP_DOC_TAG, error: String(error) })
  try {
    const telling = group.device(identity.id)?.role === 'member' ? leaving.say() : removeItself()
    telling.catch(onFailed) // the word is out at once, and a full disk would hold it up
    await clock.sleep(SENDING_MS)
  } catch (error) {
    onFailed(error) // the last admin
  }
}

const SENDING_MS = 500
