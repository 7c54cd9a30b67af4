/**
 * Calls on admins that were removed and may not have heard of it: such a one may hold this device for removed itself. Then nobody dials
 * anybody, and where there is no third device two groups would stay two. Each shows the other the entry that removed it and nothing else
 * (G63), and both know who stays. Once at a start and after a change of the network, and when discovery comes upon one; never in a loop.
 */
import { callOnRemoved, MINUTE_MS, SECOND_MS, type Closeable, type DeviceId, type GroupDevice, type Observable } from '@segue/core'
import type { Clock, Logger } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import type { Runtime } from '../runtime.ts'
import type { RemovalChecklist } from './checklist.ts'
import type { OwnRemovalWatch } from './own-removal.ts'

export interface Courtesy extends Closeable {
  /** The group changed, or is another one. */
  look(): void
}

interface Parts {
  readonly clock: Clock
  readonly logger: Logger
  readonly runtime: () => Runtime | undefined
  readonly node: Pick<NetNode, 'addresses' | 'addressesOf' | 'discovery' | 'group'>
  /** Where it was last reached. */
  readonly addressesOf: (device: DeviceId) => readonly string[]
  readonly removals: Observable<readonly RemovalChecklist[]>
  readonly own: Pick<OwnRemovalWatch, 'isCutOff' | 'onRemoved' | 'acknowledged'>
}

/** Whether nobody here knows that it heard. A member removes nobody, and who left knows. */
export function isToBeCalledOn({ id, role, removal }: GroupDevice, removals: readonly RemovalChecklist[]): boolean {
  if (removal === undefined || removal.by === id || role !== 'admin') return false
  return removals.every(each => each.id !== id || (each.toldAt === undefined && each.erasure === undefined))
}

export function createCourtesy({ clock, logger, runtime, node, addressesOf, removals, own }: Parts): Courtesy {
  const called = new Map<DeviceId, { readonly at: number; readonly from: string }>()
  const tasks = new Set<Promise<void>>()
  const stopped = new AbortController()

  const call = async (device: DeviceId, { group }: Runtime): Promise<void> => {
    const late = new AbortController()
    const cancel = clock.after(CALL_MS, () => late.abort(new Error('took too long')))
    const signal = AbortSignal.any([stopped.signal, late.signal])
    try {
      const link = await node.group.dial({ device, addresses: addressesOf(device) }, { signal })
      try {
        const said = await callOnRemoved(link, group, { signal, onRemoved: own.onRemoved })
        if (!said.ok && said.error === 'DEVICE_REMOVED') await own.acknowledged(device)
      } finally {
        await link.close()
      }
    } finally {
      cancel()
    }
  }
  const isDue = (device: DeviceId): boolean => {
    if (addressesOf(device).length + node.addressesOf(device).length === 0) return false
    const last = called.get(device)
    if (last === undefined || last.from !== node.addresses.peek().join()) return true
    return isHeard(device) && clock.monotonic() - last.at >= AGAIN_MS
  }
  const isHeard = (device: DeviceId): boolean => node.discovery.heard.peek().includes(device)
  const look = (): void => {
    const now = runtime()
    if (now === undefined || stopped.signal.aborted || own.isCutOff()) return
    const all = now.group.state.peek().devices.filter(device => isToBeCalledOn(device, removals.peek()))
    for (const { id } of all.filter(device => isDue(device.id)).slice(-MAX_CALLS)) {
      called.set(id, { at: clock.monotonic(), from: node.addresses.peek().join() })
      const running = call(id, now)
        .catch((error: unknown) => logger.info('removed-device-not-called', { error: String(error) }))
        .finally(() => tasks.delete(running))
      tasks.add(running)
    }
  }
  const stops = [node.addresses.subscribe(look), node.discovery.heard.subscribe(look)]
  const close = async (): Promise<void> => {
    for (const stop of stops) stop()
    stopped.abort()
    await Promise.all(tasks)
  }
  return { look, close, [Symbol.asyncDispose]: close }
}

/** At one time. */
const MAX_CALLS = 8
const CALL_MS: number = 15 * SECOND_MS
/** However often it announces itself. */
const AGAIN_MS: number = 10 * MINUTE_MS
