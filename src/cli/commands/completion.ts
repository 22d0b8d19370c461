import type { Command } from 'commander';
import { UserError } from '../../errors/towtank-error.ts';

/** A completion script made from the commands and flags that the program really has. */
export function completion(program: Command, shell: string): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    flags: command.options.flatMap((option) => option.long ?? []),
  }));
  const script = { bash, zsh, fish }[shell];
  if (script) return script(commands);
  throw new UserError({
    code: 'ERR_USAGE',
    message: `no completion for "${shell}"`,
    hint: 'there is bash, zsh and fish',
  });
}

interface CommandFacts {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly string[];
}

function bash(commands: readonly CommandFacts[]): string {
  const cases = commands.map(({ name, flags }) => `    ${name}) words="${flags.join(' ')} --help" ;;`).join('\n');
  return `_towtank() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases}
    *) words="${commands.map(({ name }) => name).join(' ')}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(({ name }) => name).join(' ')} --help --version"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _towtank towtank
`;
}

function zsh(commands: readonly CommandFacts[]): string {
  const quoted = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const list = commands.map(({ name, description }) => `    '${name}:${quoted(description)}'`).join('\n');
  const cases = commands
    .map(({ name, flags }) => `    ${name}) compadd -- ${[...flags, '--help'].join(' ')} ;;`)
    .join('\n');
  return `#compdef towtank
_towtank() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "\${words[2]}" in
${cases}
  esac
}
compdef _towtank towtank
`;
}

function fish(commands: readonly CommandFacts[]): string {
  const quoted = (text: string): string => text.replaceAll("'", "\\'");
  const lines = commands.flatMap(({ name, description, flags }) => [
    `complete -c towtank -n __fish_use_subcommand -a ${name} -d '${quoted(description)}'`,
    ...flags.map((flag) => `complete -c towtank -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}`),
  ]);
  return `${lines.join('\n')}\n`;
}
