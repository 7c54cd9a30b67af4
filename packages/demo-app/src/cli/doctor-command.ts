/** doctor: what keeps devices apart, named, with the next step. */
import type { Command } from 'commander'
import { examine } from '../doctor/examine.ts'
import { action, type CliContext } from './context.ts'
import { EXIT } from './exit-codes.ts'

export function addDoctorCommand(program: Command): void {
  program.command('doctor').description('find what keeps your devices apart').action(action(doctor))
}

async function doctor(context: CliContext): Promise<number> {
  context.output.progress('looking around…')
  const findings = await examine(context.paths)
  const isWell = findings.every(finding => finding.level !== 'problem')
  context.output.data({ ok: isWell, findings }, () =>
    findings.flatMap(({ level, title, next }) => [`${MARK[level]} ${title}`, ...(next === undefined ? [] : [`    ${next}`])]),
  )
  if (findings.some(({ cause }) => cause === 'daemon-down')) return EXIT.daemonNotRunning
  return isWell ? EXIT.ok : EXIT.failed
}

const MARK = { ok: '✓', hint: '·', problem: '✗' } as const
