/** Two computers on one network, as two people would have them: started with no address flags, found by mDNS, paired without a camera. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestLan, whyNoNamespaces, type TestLan } from './namespaces.ts'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'

const why = whyNoNamespaces()
const notRun = why === undefined ? '' : ` (not run: ${why})`

describe.skipIf(why !== undefined)(`two hosts joined by a cable${notRun}`, () => {
  let root: string
  let lan: TestLan
  let laptop: Shell
  let desk: Shell

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'segue-lan-'))
    lan = createTestLan(2)
    laptop = { home: path.join(root, 'laptop'), prefix: lan.on(0) }
    desk = { home: path.join(root, 'desk'), prefix: lan.on(1) }
    await segueJson(laptop, 'up', '--name', 'Laptop', '--keys', 'key-file')
    await segueJson(desk, 'up', '--name', 'Desk', '--keys', 'key-file')
  })
  afterAll(async () => {
    if (why !== undefined) return
    await Promise.all([runSegue(laptop, 'down'), runSegue(desk, 'down')])
    lan.remove()
    rmSync(root, { recursive: true, force: true })
  })

  test(`they pair without a camera: the new one lists the other, its digits are typed there${notRun}`, async () => {
    const inviting = startSegue(laptop, 'pair', 'new')
    await inviting.says(/segue-pair:/)
    const joining = startSegue(desk, 'pair', 'join', '--nearby')
    await joining.says(/Laptop[\s\S]*Join it\?/)
    joining.type('y')
    const [, first, second] = await joining.says(/(\d{3}) (\d{3})/)
    await inviting.says(/Digits/)
    inviting.type(`${first}${second}`)
    expect((await joining.finished).code).toBe(0)
    expect((await inviting.finished).code).toBe(0)
    const { devices } = await segueJson<{ devices: readonly { name: string; state: string }[] }>(laptop, 'devices')
    expect(devices.map(device => device.name)).toEqual(['Laptop', 'Desk'])
  })

  test(`a file imported on one is handed over to the other, byte for byte${notRun}`, async () => {
    const text = 'Grüße from the laptop 👋🏽\nשלום\n'.repeat(200)
    const file = path.join(root, 'letter.txt')
    writeFileSync(file, text)
    const { session } = await segueJson<{ session: string }>(laptop, 'session', 'import', file)
    const { outcome } = await segueJson<{ outcome: { kind: string } }>(laptop, 'handoff', 'to', 'Desk', '--session', session)
    expect(outcome.kind).toBe('done')
    const exported = await runSegue(desk, 'session', 'export', session)
    expect(exported.stdout).toBe(text)
  })

  test(`after the cable was out and in again they find each other, and what was written meanwhile arrives${notRun}`, async () => {
    lan.plug(1, false)
    const { id } = await segueJson<{ id: string }>(laptop, 'session', 'create', 'Written while apart')
    lan.plug(1, true)
    const shown = await segueJson<{ title: string }>(desk, 'session', 'open', id)
    expect(shown.title).toBe('Written while apart')
  })
})
