import { Argument, Command } from 'commander';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** `root` returns the finished program, which does not exist yet when this command is made. */
export function completionCommand(io: Io, root: () => Command): Command {
  return new Command('completion')
    .summary('a completion script for your shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', '\nExample:\n  source <(strongroom completion bash)')
    .action((shell: Shell) => print(io, SCRIPTS[shell](words(root()))));
}

interface Word {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
  /** Of a command that is a group of others. */
  readonly below: readonly Word[];
}

function words(program: Command): readonly Word[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    flags: [...command.options.flatMap(({ long }) => (long ? [long] : [])), '--help'],
    below: words(command),
  }));
}

function namesOf(commands: readonly Word[]): string {
  return commands.map(({ name }) => name).join(' ');
}

function bashReply({ flags, below }: Word): string {
  const reply = (text: string): string => `COMPREPLY=($(compgen -W '${text}' -- "$word"))`;
  if (below.length === 0) return reply(flags.join(' '));
  return `
      if ((COMP_CWORD == 2)); then ${reply(namesOf(below))}; return; fi
      case \${COMP_WORDS[2]} in
${below.map((c) => `        ${c.name}) ${bashReply(c)} ;;`).join('\n')}
      esac`;
}

function zshReply({ flags, below }: Word): string {
  if (below.length === 0) return `compadd -- ${flags.join(' ')}; _files`;
  return `
      if ((CURRENT == 3)); then compadd -- ${namesOf(below)}; return; fi
      case \${words[3]} in
${below.map((c) => `        ${c.name}) ${zshReply(c)} ;;`).join('\n')}
      esac`;
}

function fishLines({ name, flags, below }: Word, seen: readonly string[]): readonly string[] {
  const path = [...seen, name].map((one) => `__fish_seen_subcommand_from ${one}`).join('; and ');
  if (below.length === 0) {
    return flags.map((flag) => `complete -c strongroom -n '${path}' -l ${flag.slice(2)}`);
  }
  const none = `${path}; and not __fish_seen_subcommand_from ${namesOf(below)}`;
  return below.flatMap((c) => [
    `complete -c strongroom -n '${none}' -a ${c.name} -d '${quoted(c.summary)}'`,
    ...fishLines(c, [...seen, name]),
  ]);
}

function quoted(text: string): string {
  return text.replaceAll("'", '’');
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Word[]) => string>> = {
  bash: (commands) => `_strongroom() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${namesOf(commands)}' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map((c) => `    ${c.name}) ${bashReply(c)} ;;`).join('\n')}
  esac
}
complete -o default -F _strongroom strongroom kubectl-strongroom`,
  zsh: (commands) => `#compdef strongroom kubectl-strongroom
_strongroom() {
  if ((CURRENT == 2)); then
    local -a commands=(
${commands.map((c) => `      '${c.name}:${quoted(c.summary).replaceAll(':', ' -')}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  case \${words[2]} in
${commands.map((c) => `    ${c.name}) ${zshReply(c)} ;;`).join('\n')}
  esac
}
compdef _strongroom strongroom kubectl-strongroom`,
  fish: (commands) =>
    commands
      .flatMap((c) => [
        `complete -c strongroom -n __fish_use_subcommand -a ${c.name} -d '${quoted(c.summary)}'`,
        ...fishLines(c, []),
      ])
      .join('\n'),
};
