import { expect, test } from 'vitest'
import { createDevice, createManualClock } from '../../test-support/cast.ts'
import { SIGHTING_MS } from '../limits.ts'
import { decodeHello, encodeHello } from '../link/hello.ts'
import { createSurroundings, type Surroundings } from './surroundings.ts'

const { id: desk } = await createDevice()

function near(announce?: (around: Surroundings) => void): { clock: ReturnType<typeof createManualClock>; around: Surroundings } {
  const clock = createManualClock()
  const interfaces = (): readonly string[] => ['10.0.0.5', '192.168.1.5']
  const around: Surroundings = createSurroundings({
    clock,
    interfaces,
    announce: announce === undefined ? undefined : () => announce(around),
  })
  return { clock, around }
}

test('[N30] what comes back on every interface is said at once', async () => {
  const { around } = near(self => ['10.0.0.5', '192.168.1.5'].forEach(self.onEcho))
  expect((await around.checkEcho())?.every(({ isHeard }) => isHeard)).toBe(true)
})

test('[N30] what does not come back in two seconds is said to be silent, interface by interface', async () => {
  const { clock, around } = near(self => self.onEcho('10.0.0.5'))
  const checking = around.checkEcho()
  clock.advance(2_000)
  expect(await checking).toEqual([
    { address: '10.0.0.5', isHeard: true },
    { address: '192.168.1.5', isHeard: false },
  ])
})

test('[N30] with mDNS off nothing is known; who asks no longer is not kept waiting', async () => {
  expect(await near().around.checkEcho()).toBeUndefined()
  const asking = new AbortController()
  const checking = near(() => undefined).around.checkEcho({ signal: asking.signal })
  asking.abort(new Error('not interested'))
  await expect(checking).rejects.toThrow('not interested')
})

test('[N30] a device is heard until it says goodbye or falls silent', () => {
  const { clock, around } = near()
  around.onHeard(desk, false)
  expect(around.heard.peek()).toEqual([desk])
  around.onHeard(desk, true)
  expect(around.heard.peek()).toEqual([])
  around.onHeard(desk, false)
  clock.advance(SIGHTING_MS)
  expect(around.heard.peek()).toEqual([])
})

test('[N31] the clock of a device is as far off as its hello said, however long ago that was', () => {
  const { clock, around } = near()
  expect(around.clockOffsetOf(desk)).toBeUndefined()
  const hello = decodeHello(encodeHello({ addresses: [], time: clock.now() + 3_600_000 }))
  around.onTime(desk, hello.ok ? (hello.value.time ?? 0) : 0)
  clock.advance(60_000)
  expect(around.clockOffsetOf(desk)).toBe(-3_600_000)
  expect(decodeHello(encodeHello({ addresses: [] }))).toEqual({ ok: true, value: { addresses: [] } })
})
