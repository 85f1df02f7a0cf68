import { Command } from 'commander';

/** `holdfast help product create`, as `holdfast product create --help`. */
export const helpCommand = (program: Command): Command =>
  new Command('help')
    .description('show the help of a command')
    .argument('[command...]')
    .action((names: string[]) => {
      let found = program;
      for (const name of names) {
        found = found.commands.find((it) => it.name() === name) ?? found;
      }
      found.help();
    });
