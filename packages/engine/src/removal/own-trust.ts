/**
 * The group as a device sees it that was removed itself: without that. To the others what it writes from then on may be late; here it is
 * its own work, and stays where it wrote it.
 */
import type { DeviceId, Group, GroupState, Observable } from '@segue/core'

type Trust = Pick<Group, 'id' | 'state' | 'removalsOf' | 'epochsKnownTo'>

export function trustOf(group: Trust, self: DeviceId): Trust {
  const { state, id, removalsOf, epochsKnownTo } = group
  return { id, removalsOf, epochsKnownTo, state: mapped(state, withoutOwnRemoval) }

  function withoutOwnRemoval(now: GroupState): GroupState {
    if (now.devices.find(device => device.id === self)?.removal === undefined) return now
    const devices = now.devices.map(device => (device.id === self ? { ...device, removal: undefined, active: true } : device))
    return { ...now, devices }
  }
}

function mapped<Value>(values: Observable<Value>, map: (value: Value) => Value): Observable<Value> {
  return {
    peek: () => map(values.peek()),
    subscribe: listener => values.subscribe(value => listener(map(value))),
    when: (holds, options) => values.when(value => holds(map(value)), options).then(map),
  }
}
