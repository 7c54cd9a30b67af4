/**
 * A relay in a process of its own, from the build. It loads everything, then waits for one line of JSON on its standard input:
 * `{options, mailbox?, expected?}`. It says first how many of the expected chunks are not in the store, then where it listens.
 */
import { createInterface } from 'node:readline'
import { createLog, createRelay, createVolumeEngine } from '@segue/relay'
import { openVolume } from '@segue/storage/volume'

process.stdout.write('{"loaded":true}\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { options, mailbox, expected = [] } = JSON.parse(line)
  let missing = 0
  if (mailbox !== undefined) {
    const engine = createVolumeEngine(await openVolume(options.directory))
    const store = await engine.open(mailbox)
    const found = await store.getMany(expected)
    missing = expected.length - found.length
    await engine.close()
  }
  const relay = await createRelay({ ...options, logger: createLog({ level: 'silent', withIds: false }) })
  const invite = options.isFirst === true ? (await relay.operations.invite({})).invite : undefined
  process.stdout.write(`${JSON.stringify({ id: relay.id, addresses: relay.addresses, missing, invite, opsAddress: relay.opsAddress })}\n`)
}
