/** A device with work of its own joins another group, as a person's shell does it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

test('without a yes nothing happens; with it all of it is there, on both devices', async () => {
  const [laptop, phone] = (await Promise.all(['Laptop', 'Phone'].map(homes.start))) as [Shell, Shell]
  const file = path.join(homes.root, 'Notes.md')
  for (const shell of [laptop, phone]) {
    writeFileSync(file, `of ${shell === laptop ? 'laptop' : 'phone'}`)
    await segueJson(shell, 'session', 'import', file)
  }
  const inviting = startSegue(laptop, '--json', 'pair', 'new')
  const [, text] = await inviting.says(/"text":"([^"]+)"/)
  const asked = startSegue(phone, '--json', 'pair', 'join', String(text))
  await asked.says(/"adoption":.*"leaving":"alone"/)
  asked.type('no')
  expect(JSON.parse((await asked.finished).stdout)).toMatchObject({ error: { code: 'CANCELLED' } })

  const joining = startSegue(phone, '--json', 'pair', 'join', String(text), '--adopt')
  const [, code] = await joining.says(/"code":"(\d{6})"/)
  inviting.type(String(code))
  const [invited, joined] = await Promise.all([inviting.finished, joining.finished])
  expect([invited.code, joined.code]).toEqual([0, 0])
  expect(JSON.parse(joined.stdout)).toMatchObject({ adopted: { documents: 1, sameTitles: ['Notes.md'], deletedThere: 0 } })
  const { sessions } = await segueJson<{ sessions: { id: string }[] }>(laptop, 'session', 'list')
  expect(sessions).toHaveLength(2)
  const texts = await Promise.all(sessions.map(async ({ id }) => (await runSegue(laptop, 'session', 'export', id)).stdout))
  expect(texts.toSorted()).toEqual(['of laptop', 'of phone'])
}, 60_000)
