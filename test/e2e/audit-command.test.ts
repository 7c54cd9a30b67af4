/** `segue audit` and `segue notices`: what a person sees of what happened, and a file that is checked where there is no Segue at work. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
/** Nothing runs there, and nothing is there. */
const elsewhere: Shell = homes.shell('elsewhere')
let laptop: Shell
const file = path.join(homes.root, 'audit.json')

beforeAll(async () => {
  laptop = await homes.start('laptop')
}, 60_000)
afterAll(() => homes.remove())

interface Audit {
  readonly group: string
  readonly events: readonly { readonly action: { readonly kind: string }; readonly by: { readonly name: string } }[]
  readonly signedBy: { readonly name: string; readonly state: string }
}

test('the audit is told in words and as JSON, exported for its person only, and checked elsewhere without a daemon', async () => {
  await segueJson(laptop, 'rename', 'studio')
  const told = await segueJson<Audit>(laptop, 'audit')
  expect(told.events.map(({ action, by }) => [by.name, action.kind])).toEqual([
    ['laptop', 'founded'],
    ['laptop', 'renamed'], // segue up --name says it again
    ['laptop', 'renamed'],
  ])
  expect(JSON.stringify(told)).not.toContain('sealingKey')
  expect((await runSegue(laptop, 'audit')).stdout).toMatch(
    /Group [0-9a-f]{64}\n +1 {2}\d{4}-.*“laptop” founded the group\n[^]* +3 .*renamed “laptop” to “studio”/,
  )

  expect((await runSegue(laptop, 'audit', '--export', file)).code).toBe(0)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await runSegue(laptop, 'audit', '--export', file)).code).toBe(2) // it is there already
  const verified = await segueJson<Audit>(elsewhere, 'audit', '--verify', file, '--group', told.group)
  expect([verified.group, verified.events.length, verified.signedBy]).toMatchObject([
    told.group,
    3,
    { name: 'studio', state: 'in-the-group' },
  ])
  expect((await runSegue(elsewhere, 'audit', '--verify', file)).stdout).toContain('Every signature holds.')
})

test('what is changed, cut, reordered, of another group or of a later version is refused, each with its code', async () => {
  const text = readFileSync(file, 'utf8')
  const whole = JSON.parse(text) as { readonly entries: readonly string[] }
  const verify = async (content: string, ...args: readonly string[]): Promise<readonly [number, string]> => {
    const changed = path.join(homes.root, 'changed.json')
    writeFileSync(changed, content)
    const { code, stdout } = await runSegue(elsewhere, '--json', 'audit', '--verify', changed, ...args)
    return [code, (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? 'none']
  }
  expect(await verify(JSON.stringify({ ...whole, exportedAt: 1 }))).toEqual([1, 'AUDIT_TAMPERED'])
  expect(await verify(JSON.stringify({ ...whole, entries: whole.entries.toReversed() }))).toEqual([1, 'AUDIT_TAMPERED'])
  expect(await verify(text.slice(0, -40))).toEqual([1, 'AUDIT_INVALID'])
  expect(await verify(text, '--group', 'ab'.repeat(32))).toEqual([1, 'AUDIT_OTHER_GROUP'])
  expect(await verify(JSON.stringify({ ...whole, schemaVersion: 2 }))).toEqual([7, 'AUDIT_NEWER'])
  expect((await runSegue(elsewhere, 'audit', '--verify', path.join(homes.root, 'nowhere'))).code).toBe(2)
  expect((await runSegue(elsewhere, 'audit')).code).toBe(3)
})

test('wrong digits and a new device are noticed: a line in status, what to do, gone when dismissed', async () => {
  expect((await runSegue(laptop, 'notices')).stdout).toBe('Nothing to tell.\n')
  const desk = await homes.start('desk')
  const inviting = startSegue(laptop, '--json', 'pair', 'new')
  const [, text] = await inviting.says(/"text":"([^"]+)"/)
  const joining = startSegue(desk, '--json', 'pair', 'join')
  joining.type(String(text))
  const [, code] = await joining.says(/"code":"(\d{6})"/)
  await inviting.says(/Digits/)
  inviting.type(code === '111111' ? '222222' : '111111')
  await inviting.says(/Digits[\s\S]*Digits/)
  inviting.type(String(code))
  await Promise.all([inviting.finished, joining.finished])

  expect((await runSegue(laptop, 'status')).stdout).toMatch(/notices {3}2, 1 to look at: segue notices/)
  const listed = await segueJson<{ readonly notices: readonly object[] }>(laptop, 'notices')
  expect(listed.notices).toMatchObject([
    { id: 'wrong-code', weight: 'warning', count: 1 },
    { kind: 'device-added', weight: 'info', next: expect.stringContaining('segue devices remove "desk"') },
  ])
  expect((await runSegue(laptop, 'notices')).stdout).toMatch(
    /^! Wrong digits were typed.*once[^]*segue lock[^]*“desk” was let into your group, by this device/,
  )
  expect((await runSegue(desk, 'notices')).stdout).toBe('Nothing to tell.\n') // it is the new one
  expect((await runSegue(laptop, 'audit')).stdout).toMatch(/“studio” let in “desk” …\w+\n/)
  expect((await runSegue(laptop, 'notices', 'dismiss', 'bogus')).code).toBe(2)
  expect((await runSegue(laptop, 'notices', 'dismiss', '--all')).code).toBe(0)
  expect((await segueJson<{ readonly notices: readonly object[] }>(laptop, 'notices')).notices).toEqual([])
}, 60_000)
