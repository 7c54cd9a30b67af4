/**
 * Two devices that nobody can dial, and a relay, in one process on a host of the test's own (`ip netns exec`), on the built engine: they pair
 * by rendezvous, link through the relay and go past it by WebRTC. Prints what it saw as one line of JSON. Plain JavaScript, because the host
 * has no loader.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile, openSegue } from '@segue/engine'
import { createLog, createRelay } from '@segue/relay'

const root = await mkdtemp(path.join(tmpdir(), 'segue-webrtc-'))
const signal = AbortSignal.timeout(60_000)
const relay = await createRelay({
  directory: path.join(root, 'relay'),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  quotas: { mailboxes: 1, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e9 },
  idleMailboxDays: 0,
  maxConnections: 64,
  logger: createLog({ level: 'silent', withIds: false }),
})
const open = name =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: [] },
  })
const [laptop, desk] = [await open('laptop'), await open('desk')]
const paths = []
desk.devices.subscribe(devices => {
  const now = devices.find(({ isThisDevice }) => !isThisDevice)?.path
  if (now !== undefined && now !== paths.at(-1)) paths.push(now)
})

await laptop.relays.add((await relay.operations.invite({})).invite)
const invitation = await laptop.pairing.invite()
const joining = await desk.pairing.join(invitation.text)
await invitation.confirm(joining.code, { mayBeRemote: true })
await joining.done
for (const device of [laptop, desk]) {
  await device.devices.when(devices => devices.some(({ path: now }) => now === 'direct'), { signal })
}
const session = await laptop.sessions.create({ title: 'Past the relay' })
await session.documents.create({ title: 'note', initial: { lines: ['hello'] } })
const { kind } = await laptop.handoff.send(session.id, { to: desk.device.id }).done
process.stdout.write(`${JSON.stringify({ paths, handoff: kind })}\n`)

await Promise.all([laptop.close(), desk.close()])
await relay.close()
await rm(root, { recursive: true, force: true })
