-- What of a code counts, written once: everything that compares codes of two systems asks these. They are the same as
-- trueup.domain.codes. Indexes are made of them, so a change of one has to make those anew.

-- Unicode's NFKC, without what is invisible, with single spaces inside and none around; null where nothing is left.
create function governance.clean_code(code text) returns text
language sql immutable parallel safe
as $body$
    select case
        -- As good as every code: what is visible ASCII is clean.
        when code !~ '[^!-~]' then nullif(code, '')
        else nullif(
            btrim(
                regexp_replace(
                    normalize(
                        regexp_replace(
                            code,
                            '[\u0001-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f'
                            '\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]',
                            '',
                            'g'
                        ),
                        nfkc
                    ),
                    '[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000]+',
                    ' ',
                    'g'
                ),
                ' '
            ),
            ''
        )
    end
$body$;
comment on function governance.clean_code is 'The code as it should have been spelt: NFKC, nothing invisible, plain spaces.';

-- Small letters of Latin, Greek, Cyrillic and Armenian, one to one. Not lower(): that is another one in every locale.
create function governance.fold_code(code text) returns text
language sql immutable parallel safe
as $body$
    select normalize(
        translate(
            lower(code collate "C"),
            U&'\00C0\00C1\00C2\00C3\00C4\00C5\00C6\00C7\00C8\00C9\00CA\00CB\00CC\00CD\00CE\00CF\00D0\00D1\00D2\00D3\00D4'
                    '\00D5\00D6\00D8\00D9\00DA\00DB\00DC\00DD\00DE\0100\0102\0104\0106\0108\010A\010C\010E\0110\0112\0114\0116'
                    '\0118\011A\011C\011E\0120\0122\0124\0126\0128\012A\012C\012E\0134\0136\0139\013B\013D\0141\0143\0145\0147'
                    '\014A\014C\014E\0150\0152\0154\0156\0158\015A\015C\015E\0160\0162\0164\0166\0168\016A\016C\016E\0170\0172'
                    '\0174\0176\0178\0179\017B\017D\0181\0182\0184\0186\0187\0189\018A\018B\018E\018F\0190\0191\0193\0194\0196'
                    '\0197\0198\019C\019D\019F\01A0\01A2\01A4\01A6\01A7\01A9\01AC\01AE\01AF\01B1\01B2\01B3\01B5\01B7\01B8\01BC'
                    '\01CD\01CF\01D1\01D3\01D5\01D7\01D9\01DB\01DE\01E0\01E2\01E4\01E6\01E8\01EA\01EC\01EE\01F4\01F6\01F7\01F8'
                    '\01FA\01FC\01FE\0200\0202\0204\0206\0208\020A\020C\020E\0210\0212\0214\0216\0218\021A\021C\021E\0220\0222'
                    '\0224\0226\0228\022A\022C\022E\0230\0232\023A\023B\023D\023E\0241\0243\0244\0245\0246\0248\024A\024C\024E'
                    '\0370\0372\0376\037F\0386\0388\0389\038A\038C\038E\038F\0391\0392\0393\0394\0395\0396\0397\0398\0399\039A'
                    '\039B\039C\039D\039E\039F\03A0\03A1\03A3\03A4\03A5\03A6\03A7\03A8\03A9\03AA\03AB\03C2\03CF\03D8\03DA\03DC'
                    '\03DE\03E0\03E2\03E4\03E6\03E8\03EA\03EC\03EE\03F7\03FA\03FD\03FE\03FF\0400\0401\0402\0403\0404\0405\0406'
                    '\0407\0408\0409\040A\040B\040C\040D\040E\040F\0410\0411\0412\0413\0414\0415\0416\0417\0418\0419\041A\041B'
                    '\041C\041D\041E\041F\0420\0421\0422\0423\0424\0425\0426\0427\0428\0429\042A\042B\042C\042D\042E\042F\0460'
                    '\0462\0464\0466\0468\046A\046C\046E\0470\0472\0474\0476\0478\047A\047C\047E\0480\048A\048C\048E\0490\0492'
                    '\0494\0496\0498\049A\049C\049E\04A0\04A2\04A4\04A6\04A8\04AA\04AC\04AE\04B0\04B2\04B4\04B6\04B8\04BA\04BC'
                    '\04BE\04C0\04C1\04C3\04C5\04C7\04C9\04CB\04CD\04D0\04D2\04D4\04D6\04D8\04DA\04DC\04DE\04E0\04E2\04E4\04E6'
                    '\04E8\04EA\04EC\04EE\04F0\04F2\04F4\04F6\04F8\04FA\04FC\04FE\0500\0502\0504\0506\0508\050A\050C\050E\0510'
                    '\0512\0514\0516\0518\051A\051C\051E\0520\0522\0524\0526\0528\052A\052C\052E\0531\0532\0533\0534\0535\0536'
                    '\0537\0538\0539\053A\053B\053C\053D\053E\053F\0540\0541\0542\0543\0544\0545\0546\0547\0548\0549\054A\054B'
                    '\054C\054D\054E\054F\0550\0551\0552\0553\0554\0555\0556\1E00\1E02\1E04\1E06\1E08\1E0A\1E0C\1E0E\1E10\1E12'
                    '\1E14\1E16\1E18\1E1A\1E1C\1E1E\1E20\1E22\1E24\1E26\1E28\1E2A\1E2C\1E2E\1E30\1E32\1E34\1E36\1E38\1E3A\1E3C'
                    '\1E3E\1E40\1E42\1E44\1E46\1E48\1E4A\1E4C\1E4E\1E50\1E52\1E54\1E56\1E58\1E5A\1E5C\1E5E\1E60\1E62\1E64\1E66'
                    '\1E68\1E6A\1E6C\1E6E\1E70\1E72\1E74\1E76\1E78\1E7A\1E7C\1E7E\1E80\1E82\1E84\1E86\1E88\1E8A\1E8C\1E8E\1E90'
                    '\1E92\1E94\1E9E\1EA0\1EA2\1EA4\1EA6\1EA8\1EAA\1EAC\1EAE\1EB0\1EB2\1EB4\1EB6\1EB8\1EBA\1EBC\1EBE\1EC0\1EC2'
                    '\1EC4\1EC6\1EC8\1ECA\1ECC\1ECE\1ED0\1ED2\1ED4\1ED6\1ED8\1EDA\1EDC\1EDE\1EE0\1EE2\1EE4\1EE6\1EE8\1EEA\1EEC'
                    '\1EEE\1EF0\1EF2\1EF4\1EF6\1EF8\1EFA\1EFC\1EFE\1F08\1F09\1F0A\1F0B\1F0C\1F0D\1F0E\1F0F\1F18\1F19\1F1A\1F1B'
                    '\1F1C\1F1D\1F28\1F29\1F2A\1F2B\1F2C\1F2D\1F2E\1F2F\1F38\1F39\1F3A\1F3B\1F3C\1F3D\1F3E\1F3F\1F48\1F49\1F4A'
                    '\1F4B\1F4C\1F4D\1F59\1F5B\1F5D\1F5F\1F68\1F69\1F6A\1F6B\1F6C\1F6D\1F6E\1F6F\1F88\1F89\1F8A\1F8B\1F8C\1F8D'
                    '\1F8E\1F8F\1F98\1F99\1F9A\1F9B\1F9C\1F9D\1F9E\1F9F\1FA8\1FA9\1FAA\1FAB\1FAC\1FAD\1FAE\1FAF\1FB8\1FB9\1FBA'
                    '\1FBC\1FC8\1FCA\1FCC\1FD8\1FD9\1FDA\1FE8\1FE9\1FEA\1FEC\1FF8\1FFA\1FFC',
            U&'\00E0\00E1\00E2\00E3\00E4\00E5\00E6\00E7\00E8\00E9\00EA\00EB\00EC\00ED\00EE\00EF\00F0\00F1\00F2\00F3\00F4'
                    '\00F5\00F6\00F8\00F9\00FA\00FB\00FC\00FD\00FE\0101\0103\0105\0107\0109\010B\010D\010F\0111\0113\0115\0117'
                    '\0119\011B\011D\011F\0121\0123\0125\0127\0129\012B\012D\012F\0135\0137\013A\013C\013E\0142\0144\0146\0148'
                    '\014B\014D\014F\0151\0153\0155\0157\0159\015B\015D\015F\0161\0163\0165\0167\0169\016B\016D\016F\0171\0173'
                    '\0175\0177\00FF\017A\017C\017E\0253\0183\0185\0254\0188\0256\0257\018C\01DD\0259\025B\0192\0260\0263\0269'
                    '\0268\0199\026F\0272\0275\01A1\01A3\01A5\0280\01A8\0283\01AD\0288\01B0\028A\028B\01B4\01B6\0292\01B9\01BD'
                    '\01CE\01D0\01D2\01D4\01D6\01D8\01DA\01DC\01DF\01E1\01E3\01E5\01E7\01E9\01EB\01ED\01EF\01F5\0195\01BF\01F9'
                    '\01FB\01FD\01FF\0201\0203\0205\0207\0209\020B\020D\020F\0211\0213\0215\0217\0219\021B\021D\021F\019E\0223'
                    '\0225\0227\0229\022B\022D\022F\0231\0233\2C65\023C\019A\2C66\0242\0180\0289\028C\0247\0249\024B\024D\024F'
                    '\0371\0373\0377\03F3\03AC\03AD\03AE\03AF\03CC\03CD\03CE\03B1\03B2\03B3\03B4\03B5\03B6\03B7\03B8\03B9\03BA'
                    '\03BB\03BC\03BD\03BE\03BF\03C0\03C1\03C3\03C4\03C5\03C6\03C7\03C8\03C9\03CA\03CB\03C3\03D7\03D9\03DB\03DD'
                    '\03DF\03E1\03E3\03E5\03E7\03E9\03EB\03ED\03EF\03F8\03FB\037B\037C\037D\0450\0451\0452\0453\0454\0455\0456'
                    '\0457\0458\0459\045A\045B\045C\045D\045E\045F\0430\0431\0432\0433\0434\0435\0436\0437\0438\0439\043A\043B'
                    '\043C\043D\043E\043F\0440\0441\0442\0443\0444\0445\0446\0447\0448\0449\044A\044B\044C\044D\044E\044F\0461'
                    '\0463\0465\0467\0469\046B\046D\046F\0471\0473\0475\0477\0479\047B\047D\047F\0481\048B\048D\048F\0491\0493'
                    '\0495\0497\0499\049B\049D\049F\04A1\04A3\04A5\04A7\04A9\04AB\04AD\04AF\04B1\04B3\04B5\04B7\04B9\04BB\04BD'
                    '\04BF\04CF\04C2\04C4\04C6\04C8\04CA\04CC\04CE\04D1\04D3\04D5\04D7\04D9\04DB\04DD\04DF\04E1\04E3\04E5\04E7'
                    '\04E9\04EB\04ED\04EF\04F1\04F3\04F5\04F7\04F9\04FB\04FD\04FF\0501\0503\0505\0507\0509\050B\050D\050F\0511'
                    '\0513\0515\0517\0519\051B\051D\051F\0521\0523\0525\0527\0529\052B\052D\052F\0561\0562\0563\0564\0565\0566'
                    '\0567\0568\0569\056A\056B\056C\056D\056E\056F\0570\0571\0572\0573\0574\0575\0576\0577\0578\0579\057A\057B'
                    '\057C\057D\057E\057F\0580\0581\0582\0583\0584\0585\0586\1E01\1E03\1E05\1E07\1E09\1E0B\1E0D\1E0F\1E11\1E13'
                    '\1E15\1E17\1E19\1E1B\1E1D\1E1F\1E21\1E23\1E25\1E27\1E29\1E2B\1E2D\1E2F\1E31\1E33\1E35\1E37\1E39\1E3B\1E3D'
                    '\1E3F\1E41\1E43\1E45\1E47\1E49\1E4B\1E4D\1E4F\1E51\1E53\1E55\1E57\1E59\1E5B\1E5D\1E5F\1E61\1E63\1E65\1E67'
                    '\1E69\1E6B\1E6D\1E6F\1E71\1E73\1E75\1E77\1E79\1E7B\1E7D\1E7F\1E81\1E83\1E85\1E87\1E89\1E8B\1E8D\1E8F\1E91'
                    '\1E93\1E95\00DF\1EA1\1EA3\1EA5\1EA7\1EA9\1EAB\1EAD\1EAF\1EB1\1EB3\1EB5\1EB7\1EB9\1EBB\1EBD\1EBF\1EC1\1EC3'
                    '\1EC5\1EC7\1EC9\1ECB\1ECD\1ECF\1ED1\1ED3\1ED5\1ED7\1ED9\1EDB\1EDD\1EDF\1EE1\1EE3\1EE5\1EE7\1EE9\1EEB\1EED'
                    '\1EEF\1EF1\1EF3\1EF5\1EF7\1EF9\1EFB\1EFD\1EFF\1F00\1F01\1F02\1F03\1F04\1F05\1F06\1F07\1F10\1F11\1F12\1F13'
                    '\1F14\1F15\1F20\1F21\1F22\1F23\1F24\1F25\1F26\1F27\1F30\1F31\1F32\1F33\1F34\1F35\1F36\1F37\1F40\1F41\1F42'
                    '\1F43\1F44\1F45\1F51\1F53\1F55\1F57\1F60\1F61\1F62\1F63\1F64\1F65\1F66\1F67\1F80\1F81\1F82\1F83\1F84\1F85'
                    '\1F86\1F87\1F90\1F91\1F92\1F93\1F94\1F95\1F96\1F97\1FA0\1FA1\1FA2\1FA3\1FA4\1FA5\1FA6\1FA7\1FB0\1FB1\1F70'
                    '\1FB3\1F72\1F74\1FC3\1FD0\1FD1\1F76\1FE0\1FE1\1F7A\1FE5\1F78\1F7C\1FF3'
        ),
        nfkc
    )
$body$;

-- What two spellings of one code have in common. Short, so that PostgreSQL writes it into the query that asks.
create function governance.code_key(code text) returns text
language sql immutable parallel safe
as $body$
    select case
        when code !~ '[^!-~]' then nullif(lower(code collate "C"), '')
        else governance.fold_code(governance.clean_code(code))
    end
$body$;
comment on function governance.code_key is 'Equal for two spellings of one code: clean_code in small letters.';

-- GTIN-8, -12, -13 and -14 of one product differ by leading zeros only. Anything else that stands in a barcode field
-- (a shelf label, a SKU, a number with a mistyped digit) is no GTIN: null.
create function governance.gtin_key(code text) returns text
language plpgsql immutable parallel safe
as $body$
declare
    digits text := code;
    number bigint;
begin
    if digits is null then
        return null;
    end if;
    if digits !~ '^[0-9]+$' then
        digits := regexp_replace(governance.clean_code(code), '[ \u002d\u2010-\u2015\u2212]', '', 'g');
        if digits is null or digits !~ '^[0-9]+$' then
            return null;
        end if;
    end if;
    if length(digits) not in (8, 12, 13, 14) then
        return null;
    end if;
    number := digits::bigint;
    -- From the right: the check digit and every second one count once, those between three times.
    if number = 0 or (
        number + number / 100 % 10 + number / 10000 % 10 + number / 1000000 % 10 + number / 100000000 % 10
        + number / 10000000000 % 10 + number / 1000000000000 % 10
        + 3 * (
            number / 10 % 10 + number / 1000 % 10 + number / 100000 % 10 + number / 10000000 % 10
            + number / 1000000000 % 10 + number / 100000000000 % 10 + number / 10000000000000 % 10
        )
    ) % 10 <> 0 then
        return null;
    end if;
    return lpad(digits, 14, '0');
end
$body$;
comment on function governance.gtin_key is 'The GTIN in 14 digits; null for what is none.';
