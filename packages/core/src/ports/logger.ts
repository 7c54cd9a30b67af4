/**
 * Diagnostics for whoever runs the app. `event` is a fixed kebab-case name, `fields` ids and numbers: never content, names
 * people gave, or key material. For what a person may see as a trace, use telemetry, whose union is closed.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>
