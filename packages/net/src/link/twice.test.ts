/** One device key on two machines, as after a disk was copied. */
import { afterEach, expect, test } from 'vitest'
import { createSubject } from '@segue/core'
import type { DeviceId } from '@segue/core'
import { createPair, knowing, linkTo, startNode, stopAll, type Device, type Recorded } from '../../test-support/cast.ts'

afterEach(stopAll)

// Whose id is smaller decides who stays when both dialled; of two runs it must not.
test.each(['the smaller', 'the greater'])(
  '[N51] two runs of one device are linked in turn, and all three are told (desk has %s id)',
  async which => {
    const [a, b] = await createPair()
    const [deskDevice, laptopDevice] = which === 'the smaller' ? [a, b] : [b, a]
    const twice = createSubject<readonly DeviceId[]>([])
    const desk = await startDesk(deskDevice, laptopDevice, twice)
    const laptop = await startNode(laptopDevice, [deskDevice])
    desk.node.setMembers(knowing(laptop)) // the desk dials
    await linkTo(desk, laptopDevice)
    expect(twice.peek()).toEqual([])

    const copy = await startNode(laptopDevice, [deskDevice], { members: knowing(desk) })
    await linkTo(copy, deskDevice)
    expect(await twice.when(peers => peers.length > 0)).toContain(laptopDevice.id)
    expect(await laptop.closes.when(codes => codes.length > 0)).toContain('same-key-twice')
    laptop.node.setMembers(knowing(desk))
    expect(await copy.closes.when(codes => codes.length > 0)).toContain('same-key-twice')
    await linkTo(laptop, deskDevice)
  },
)

test('[N51] a device that starts again is linked anew, and nobody speaks of two', async () => {
  const [laptopDevice, deskDevice] = await createPair()
  const twice = createSubject<readonly DeviceId[]>([])
  const desk = await startDesk(deskDevice, laptopDevice, twice)
  const first = await startNode(laptopDevice, [deskDevice], { members: knowing(desk) })
  await linkTo(desk, laptopDevice)
  await first.node.close()
  const second = await startNode(laptopDevice, [deskDevice], { members: knowing(desk) })
  await linkTo(second, deskDevice)
  await desk.ups.when(links => links.length === 2)
  expect([twice.peek(), desk.closes.peek()]).toEqual([[], ['shutting-down']])
})

function startDesk(device: Device, laptop: Device, twice: ReturnType<typeof createSubject<readonly DeviceId[]>>): Promise<Recorded> {
  return startNode(device, [laptop], { onTwice: peer => twice.set([...twice.peek(), peer]) })
}
