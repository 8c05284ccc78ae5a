/**
 * `ipfs-cluster-follow`: read-only member of a published cluster. Following needs CRDT consensus and arrives with it;
 * until then the program says so.
 */
import { Command } from 'commander';
import { version } from '../../base/index.ts';

const program = new Command('ipfs-cluster-follow')
  .description('Joins a published cluster as a read-only member that pins what the cluster pins.')
  .version(`ipfs-cluster-follow version ${version}`, '-v, --version', 'print the version')
  .helpOption('-h, --help', 'show help')
  .option('--config <FOLDER>', 'folder that holds one sub-folder per followed cluster')
  .argument('[clusterName]', 'local name of the followed cluster')
  .argument('[command]', 'init, run, info or list')
  .allowExcessArguments()
  .action(() => {
    console.error('ipfs-cluster-follow: following a cluster is not available yet, it arrives in a later release');
    process.exitCode = 1;
  });

program.parse();
