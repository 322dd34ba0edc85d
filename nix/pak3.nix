/**
  The distributions of layer 05-pak3: core ML essentials, as `package-lists/pak3.txt` asks for them.

  Type: { ofLayer } -> [ AttrSet ]
*/
{ ofLayer }: ofLayer "05-pak3"
