/** Deleting, for good and on one device only, as a person's shell does it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

let laptop: Shell
let desk: Shell
beforeAll(async () => {
  ;[laptop, desk] = (await Promise.all(['Laptop', 'Desk'].map(homes.start))) as [Shell, Shell]
  const inviting = startSegue(laptop, '--json', 'pair', 'new')
  const [, text] = await inviting.says(/"text":"([^"]+)"/)
  const joining = startSegue(desk, '--json', 'pair', 'join', String(text))
  const [, code] = await joining.says(/"code":"(\d{6})"/)
  inviting.type(String(code))
  expect((await Promise.all([inviting.finished, joining.finished])).map(({ code: exit }) => exit)).toEqual([0, 0])
}, 60_000)

test('a session is deleted by its title typed out, and both devices say that it is gone', async () => {
  const file = path.join(homes.root, 'Notes.md')
  writeFileSync(file, 'hello')
  await segueJson(laptop, 'session', 'import', file)
  const refused = await runSegue(laptop, '--json', 'session', 'delete', 'Notes.md', '--confirm', 'Other')
  expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { error: { code: 'CONFIRMATION_WRONG' } }])

  const deleted = await segueJson(laptop, 'session', 'delete', 'Notes.md', '--confirm', 'Notes.md')
  expect(deleted).toMatchObject({
    title: 'Notes.md',
    deletions: [{ state: 'gone', missing: 0, devices: [{ name: 'Laptop' }, { name: 'Desk' }] }],
  })
  expect(await segueJson(desk, 'session', 'list')).toMatchObject({ sessions: [] })
  expect(await segueJson(desk, 'deletions')).toMatchObject({ deletions: [{ byName: 'Laptop', state: 'gone' }], edits: [] })
  const unknown = await runSegue(desk, '--json', 'deletions', '--go-on', 'abcd')
  expect([unknown.code, JSON.parse(unknown.stdout)]).toMatchObject([1, { error: { code: 'DELETION_UNKNOWN' } }])
})

test('a session is deleted on one device only, stays listed there, and is brought back from the other', async () => {
  const file = path.join(homes.root, 'Trip.md')
  writeFileSync(file, 'by train')
  await segueJson(laptop, 'session', 'import', file)
  await expect.poll(() => segueJson(desk, 'session', 'list'), { timeout: 20_000 }).toMatchObject({ sessions: [{ title: 'Trip.md' }] })

  // On a busy machine the laptop may be a while in saying that it keeps it.
  await expect
    .poll(async () => JSON.parse((await runSegue(desk, '--json', 'session', 'delete', 'Trip.md', '--here')).stdout), { timeout: 60_000 })
    .toMatchObject({ schemaVersion: 1, title: 'Trip.md', notHere: [{ state: 'not-here', documents: 4 }] })
  expect((await runSegue(desk, 'session', 'list')).stdout).toMatch(/Trip\.md +not kept here/)
  const refused = await runSegue(desk, '--json', 'session', 'open', 'Trip.md')
  expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { error: { code: 'SESSION_NOT_HERE' } }])
  const alone = await runSegue(laptop, '--json', 'session', 'delete', 'Trip.md', '--here')
  expect([alone.code, JSON.parse(alone.stdout)]).toMatchObject([1, { error: { code: 'KEPT_NOWHERE_ELSE' } }])

  expect(await segueJson(desk, 'session', 'fetch', 'Trip.md')).toMatchObject({ title: 'Trip.md' })
  expect((await runSegue(desk, 'session', 'export', 'Trip.md')).stdout).toBe('by train')
})
