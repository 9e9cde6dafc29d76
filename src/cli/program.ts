import { Command } from 'commander';
import { admissionCommand } from '#cli/admission.ts';
import { blockCommand } from '#cli/block.ts';
import { canICommand } from '#cli/can-i.ts';
import { completionCommand } from '#cli/completion.ts';
import { doctorCommand } from '#cli/doctor.ts';
import { emergencyCommand } from '#cli/emergency.ts';
import { explainCommand } from '#cli/explain.ts';
import type { Io } from '#cli/io.ts';
import { nodeAgentCommand } from '#cli/node-agent.ts';
import { operatorCommand } from '#cli/operator.ts';
import {
  resumeCommand,
  revokeCommand,
  rollbackCommand,
  rotateCommand,
  suspendCommand,
} from '#cli/request.ts';
import { resealCommand } from '#cli/reseal.ts';
import { rewrapCommand } from '#cli/rewrap.ts';
import { retrieveCommand } from '#cli/retrieve.ts';
import { sealCommand } from '#cli/seal.ts';
import { statusCommand } from '#cli/status.ts';
import { validateCommand } from '#cli/validate.ts';
import { versionCommand } from '#cli/version.ts';
import { versionsCommand } from '#cli/versions.ts';
import { whoCanCommand } from '#cli/who-can.ts';

/**
 * The command line. What a command needs to do its work is imported when it runs, so that those
 * that need no cluster start at once.
 */
export function createProgram(io: Io): Command {
  const program = new Command('strongroom')
    .description('Guards the exchange credentials of trading clusters.')
    .showHelpAfterError('(add --help for the options and an example)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      // Surplus arguments are counted, not repeated: one of them may be a secret pasted there.
      outputError: (text, write) => write(text.replace(/(but got \d+): .*/s, '$1.\n')),
    });
  const commands = [
    sealCommand(io),
    resealCommand(io),
    validateCommand(io),
    statusCommand(io),
    versionsCommand(io),
    rotateCommand(io),
    rollbackCommand(io),
    revokeCommand(io),
    suspendCommand(io),
    resumeCommand(io),
    retrieveCommand(io),
    whoCanCommand(io),
    canICommand(io),
    explainCommand(io),
    blockCommand(io),
    emergencyCommand(io),
    doctorCommand(io),
    admissionCommand(io),
    operatorCommand(io),
    nodeAgentCommand(io),
    rewrapCommand(io),
    completionCommand(io, () => program),
    versionCommand(io),
  ];
  for (const command of commands) program.addCommand(inherit(command, program));
  return program;
}

function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inherit(below, command);
  return command;
}
