// A machine tool on node-opcua's server with the Machinery, MachineTool and CNC nodesets as their bodies publish them.
//   node machine.cjs FOLDER PORT FIRST
// Every 100 ms it writes the next whole number into five nodes; FOLDER/written holds the last one, written down before the
// nodes are: the count that clients are measured against, and it outlives the process. Standard input: go, hold.
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, DataType, StatusCodes, nodesets } =
  require("node-opcua");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const MACHINERY = "http://opcfoundation.org/UA/Machinery/";
const TOOL = "http://opcfoundation.org/UA/MachineTool/";
const CNC = "http://opcfoundation.org/UA/CNC";
const ORDER = ["standard", "di", "ia", "machinery", "isa95JobControl", "machineryJobs", "machineTool", "cnc"];

async function main(folder, port, first) {
  const certificates = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const server = new OPCUAServer({
    port, hostname: "127.0.0.1",
    nodeset_filename: ORDER.map((name) => nodesets[name]),
    securityPolicies: [SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes256_Sha256_RsaPss],
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: false,
    serverCertificateManager: certificates,
    userManager: { isValidUser: (user, password) => user === "agent" && password === "a secret of the test" },
    serverCapabilities: { maxSessions: 20 },
  });
  await server.initialize();
  const nodes = machine(server.engine.addressSpace);
  let number = first - 1;
  let going = false;
  const written = fs.openSync(path.join(folder, "written"), "a+");
  const write = () => nodes.forEach((node) =>
    node.setValueFromSource({ dataType: DataType.Double, value: number }, StatusCodes.Good, new Date()));
  write();
  setInterval(() => {
    if (!going) return;
    number += 1;
    fs.writeSync(written, `${number}\n`);
    write();
  }, 100);
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    going = line === "go";
    say({ going, number });
  }).on("close", () => process.exit(0));
  await server.start();
  say({ url: `opc.tcp://127.0.0.1:${server.endpoints[0].port}` });
}

function machine(space) {
  const index = (uri) => space.getNamespaceIndex(uri);
  const machines = space.findNode(`ns=${index(MACHINERY)};i=1001`);
  const own = space.registerNamespace("urn:spindleshare:bench:mill");
  const name = (text) => ({ name: text, namespaceIndex: own.index });
  const mill = space.findObjectType("MachineToolType", index(TOOL))
    .instantiate({ browseName: name("Mill"), namespace: own });
  machines.addReference({ referenceType: "Organizes", nodeId: mill });
  const cnc = space.findObjectType("CncInterfaceType", index(CNC))
    .instantiate({ browseName: { name: "CncInterface", namespaceIndex: index(CNC) }, componentOf: mill, namespace: own });
  const spindles = cnc.getChildByName("CncSpindleList", index(CNC));
  const spindle = space.findObjectType("CncSpindleType", index(CNC))
    .instantiate({ browseName: name("S1"), componentOf: spindles, namespace: own });
  return ["ActSpeed", "ActLoad", "ActPower", "ActTorque", "ActOverride"].map((text) => {
    const node = spindle.getChildByName(text, index(CNC));
    node.minimumSamplingInterval = 0;
    return node;
  });
}

main(process.argv[2], Number(process.argv[3]), Number(process.argv[4]))
  .catch((error) => { say({ error: String(error.stack) }); process.exit(1); });
