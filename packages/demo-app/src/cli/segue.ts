#!/usr/bin/env node
/** The `segue` command. */
import { Command, CommanderError } from 'commander'
import { UsageError } from '../client/daemon-client.ts'
import { version } from '../programs.ts'
import { addAuditCommands } from './audit-commands.ts'
import { addDaemonCommands } from './daemon-commands.ts'
import { addDeletionCommands } from './deletion-commands.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { EXIT } from './exit-codes.ts'
import { addHandoffCommands } from './handoff-commands.ts'
import { addLockCommands } from './lock-commands.ts'
import { createOutput } from './output.ts'
import { addPairCommands } from './pair-commands.ts'
import { addRecoveryCommands } from './recovery-commands.ts'
import { addRelayCommands } from './relay-commands.ts'
import { addSessionCommands } from './session-commands.ts'

// Whoever reads may have enough (segue logs | head): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT.ok)
})

/** Looked up here as well, because wrong usage is reported before options are parsed. */
const isJson = process.argv.includes('--json')

const program = new Command('segue')
  .description('Leave one device, carry on, exactly there, on another.')
  .version(version)
  .option('--json', 'one JSON document on stdout, with a schemaVersion')
  .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  .addHelpText(
    'after',
    `
Data goes to stdout, everything else to stderr. SEGUE_HOME puts everything into one folder.
Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon not running, 4 not paired, 5 unreachable or timed out, 6 needs review, 7 incompatible version.`,
  )
  .showSuggestionAfterError()

addDaemonCommands(program)
addPairCommands(program)
addLockCommands(program)
addDeletionCommands(program, addSessionCommands(program))
addHandoffCommands(program)
addRelayCommands(program)
addRecoveryCommands(program)
addAuditCommands(program)
addDoctorCommand(program)
strict(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error.exitCode !== 0 && isJson) {
    const message = error.code === 'commander.help' ? 'Name a command. segue --help lists them.' : error.message.replace(/^error: /, '')
    createOutput(true).error(new UsageError(message))
  }
}

/** commander ends the process with 1 on wrong usage; scripts count on 2, and with --json on one document. */
function strict(command: Command): void {
  command.exitOverride()
  if (isJson) command.configureOutput({ writeErr: () => undefined })
  for (const sub of command.commands) strict(sub)
}
