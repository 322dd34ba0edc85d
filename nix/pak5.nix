/**
  The distributions of layer 07-pak5: extended libraries, as `package-lists/pak5.txt` asks for them.

  Type: { ofLayer } -> [ AttrSet ]
*/
{ ofLayer }: ofLayer "07-pak5"
