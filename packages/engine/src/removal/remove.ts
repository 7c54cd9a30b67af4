/** Removing devices from the group, and what is known of those that were removed. */
import { SegueError, type DeviceId, type Observable } from '@segue/core'
import type { Clock } from '@segue/core/ports'
import type { Confirmation, PersonCheck } from '../person.ts'
import { plainly } from '../roles.ts'
import type { Runtime } from '../runtime.ts'
import type { RemovalChecklist } from './checklist.ts'

export interface RemovingDevices {
  /**
   * Takes a device out of the group for good: one signed entry, with the next key for those who stay. Resolves when that is on this disk;
   * from then on it holds, whatever happens here. Asks for the person again; what is typed is the device's name. Removing this device is
   * leaving. Rejects with CONFIRMATION_NEEDED, CONFIRMATION_WRONG, NEEDS_ADMIN, LAST_ADMIN, NOT_A_MEMBER.
   */
  remove(device: DeviceId, confirmation?: Confirmation): Promise<void>
  /** Every device that was removed, by seniority, and who knows of it. */
  readonly removed: Observable<readonly RemovalChecklist[]>
  /** Of one; undefined while it is not removed. */
  removal(device: DeviceId): Observable<RemovalChecklist | undefined>
}

interface Parts {
  readonly clock: Clock
  readonly person: PersonCheck
  readonly runtime: () => Pick<Runtime, 'group' | 'keeper'>
  readonly list: Observable<readonly RemovalChecklist[]>
}

export function createRemoving({ clock, person, runtime, list }: Parts): RemovingDevices {
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
