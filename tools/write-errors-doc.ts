/** Writes docs/errors.md from the table of errors. `npm run docs:errors`. */
import { writeFileSync } from 'node:fs'
import { errorsDoc } from '../test/meta/errors-doc.ts'

writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsDoc())
console.error('wrote docs/errors.md')
