/** Real peers with their pinning service on. */
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { type HttpApiConfig, initialService, type ServiceConfig } from '../../src/model/config/index.ts';
import { startPeers, type TestPeers, type TestPeersOptions } from './peers.ts';

export interface PinningPeers extends TestPeers {
  /** Where the pinning services are, in the order of the peers. */
  readonly services: readonly string[];
}

/** `pinsvcapi`: what is not at its default. */
export async function startPinningPeers(
  options: TestPeersOptions & { readonly count: number; readonly pinsvcapi?: Partial<HttpApiConfig> },
): Promise<PinningPeers> {
  const ports = await freePorts(options.count);
  const unused = [...ports];
  const { pinsvcapi } = initialService({ hostname: '', secret: '' });
  const { change = (config) => config } = options;
  const withService = (config: ServiceConfig): ServiceConfig => ({
    ...config,
    pinsvcapi: pinsvcapi && {
      ...pinsvcapi,
      httpListenMultiaddress: [`/ip4/127.0.0.1/tcp/${unused.shift()}`],
      ...options.pinsvcapi,
    },
  });
  const peers = await startPeers({ ...options, change: (config) => change(withService(config)) });
  return { ...peers, services: ports.map((port) => `http://127.0.0.1:${port}`) };
}
