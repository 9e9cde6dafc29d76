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

type Words = readonly {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
}[];

function words(program: Command): Words {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    flags: [...command.options.flatMap(({ long }) => (long ? [long] : [])), '--help'],
  }));
}

const SCRIPTS: Readonly<Record<Shell, (commands: Words) => string>> = {
  bash: (commands) => `_strongroom() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map((c) => c.name).join(' ')}' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map((c) => `    ${c.name}) COMPREPLY=($(compgen -W '${c.flags.join(' ')}' -- "$word")) ;;`).join('\n')}
  esac
}
complete -o default -F _strongroom strongroom kubectl-strongroom`,
  zsh: (commands) => `#compdef strongroom kubectl-strongroom
_strongroom() {
  if ((CURRENT == 2)); then
    local -a commands=(
${commands.map((c) => `      '${c.name}:${c.summary.replaceAll("'", '’').replaceAll(':', ' -')}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  case \${words[2]} in
${commands.map((c) => `    ${c.name}) compadd -- ${c.flags.join(' ')}; _files ;;`).join('\n')}
  esac
}
compdef _strongroom strongroom kubectl-strongroom`,
  fish: (commands) =>
    commands
      .flatMap((c) => [
        `complete -c strongroom -n __fish_use_subcommand -a ${c.name} -d '${c.summary.replaceAll("'", '’')}'`,
        ...c.flags.map(
          (flag) =>
            `complete -c strongroom -n '__fish_seen_subcommand_from ${c.name}' -l ${flag.slice(2)}`,
        ),
      ])
      .join('\n'),
};
