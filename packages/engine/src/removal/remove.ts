/** Removing devices from the group, and what is known of those that were removed. */
import { SegueError, type DeviceId, type DeviceIdentity, type Observable } from '@segue/core'
import type { Clock } from '@segue/core/ports'
import type { Confirmation, PersonCheck } from '../person.ts'
import { plainly } from '../roles.ts'
import type { Runtime } from '../runtime.ts'
import type { RemovalChecklist } from './checklist.ts'
import type { OwnRemovalWatch } from './own-removal.ts'

export interface RemovingDevices {
  /**
   * Takes a device out of the group for good: one signed entry, with the next key for those who stay. Resolves when that is on this disk;
   * from then on it holds, whatever happens here. Asks for the person again; what is typed is the device's name. Rejects with
   * CONFIRMATION_NEEDED, CONFIRMATION_WRONG, NEEDS_ADMIN, LAST_ADMIN, NOT_A_MEMBER.
   */
  remove(device: DeviceId, confirmation?: Confirmation): Promise<void>
  /**
   * This device leaves its group. An admin removes itself. A member says that it leaves, in a word that goes from device to device and over
   * relays, and the first admin's device that hears it removes it: until then it belongs. Resolves when this device knows that it is out.
   * Who stops waiting by `signal` leaves all the same, also after a restart. `erase`: what is here of the group is erased then, and Segue closes;
   * otherwise it stays readable. Asks for the person again; what is typed is this device's name. Rejects with CONFIRMATION_NEEDED,
   * CONFIRMATION_WRONG, LAST_ADMIN, NOT_A_MEMBER, or the signal's reason.
   */
  leave(confirmation?: Confirmation, options?: { readonly erase?: boolean; readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Every device that was removed, by seniority, and who knows of it. */
  readonly removed: Observable<readonly RemovalChecklist[]>
  /** Of one; undefined while it is not removed. */
  removal(device: DeviceId): Observable<RemovalChecklist | undefined>
}

interface Parts {
  readonly identity: Pick<DeviceIdentity, 'id'>
  readonly clock: Clock
  readonly person: PersonCheck
  readonly own: Pick<OwnRemovalWatch, 'state' | 'toLeave'>
  readonly runtime: () => Pick<Runtime, 'group' | 'keeper' | 'documents' | 'leaving'>
  readonly list: Observable<readonly RemovalChecklist[]>
}

export function createRemoving({ identity, clock, person, own, runtime, list }: Parts): RemovingDevices {
  return {
    removed: list,
    removal: device => only(list, device),
    async remove(id, confirmation) {
      const device = runtime().group.device(id)
      if (device === undefined || device.removal !== undefined) throw new SegueError('NOT_A_MEMBER')
      await person.confirm(confirmation, [device.name, id])
      const { group, keeper } = runtime() // the person took their time
      try {
        await keeper.keep(group.remove(id, { time: clock.now() }))
      } catch (error) {
        throw plainly(error)
      }
    },
    async leave(confirmation, { erase = false, signal } = {}) {
      const device = runtime().group.device(identity.id)
      if (device?.active !== true) throw new SegueError('NOT_A_MEMBER')
      await person.confirm(confirmation, [device.name, identity.id])
      const { group, keeper, documents, leaving } = runtime() // the person took their time
      await documents.flush() // what comes after the word may be late
      await own.toLeave(erase ? 'erase' : 'keep')
      try {
        if (group.device(identity.id)?.role === 'member') await leaving.say()
        else await keeper.keep(group.remove(identity.id, { time: clock.now() }))
      } catch (error) {
        await own.toLeave(undefined)
        throw plainly(error)
      }
      await own.state.when(removal => removal !== undefined, signal === undefined ? {} : { signal })
    },
  }
}

function only(list: Observable<readonly RemovalChecklist[]>, device: DeviceId): Observable<RemovalChecklist | undefined> {
  const of = (all: readonly RemovalChecklist[]): RemovalChecklist | undefined => all.find(({ id }) => id === device)
  return {
    peek: () => of(list.peek()),
    subscribe: listener => list.subscribe(all => listener(of(all))),
    when: (holds, options) => list.when(all => holds(of(all)), options).then(of),
  }
}
