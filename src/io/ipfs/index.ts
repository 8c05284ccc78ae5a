export { createIpfsConnector, type IpfsConnectorDeps, type IpfsConnectorOptions } from './connector.ts';
