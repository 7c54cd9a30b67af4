#!/usr/bin/env node
// Beside the build, not in it: npm links a command at install, when a fresh checkout has no build yet.
import '../bundle/segue.js'
