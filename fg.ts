import { extend, g41, record, u32 } from 'xenarium/format';
import { meaning } from 'xenarium/format/model';

const forget = record('FORGET', 99, { connId: u32 }, 'Whoever reads this forgets the watches of the connection.');

export default extend(g41, {
  name: 'forgetful',
  title: 'Version 2, over which watches are lost',
  records: [forget],
  meanings: [
    meaning(forget, {
      carries: [],
      encode: ({ state, connId }) => state.connections.map((each) => ({ connId: connId(each) })),
      decode: ({ connId }, at) => at.connection(connId)?.watches.splice(0),
    }),
  ],
});
