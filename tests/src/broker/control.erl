% Evaluated by a RabbitMQ node of the tests when it has booted (erl -run file eval THIS): answers expressions on the socket
% LVMBEAT_TEST_CONTROL, one packet each, without the second or two that every rabbitmqctl takes. The socket lies in a
% folder that only its user can enter.
Path = os:getenv("LVMBEAT_TEST_CONTROL"),
spawn(fun() ->
    file:delete(Path),
    {ok, Listener} = gen_tcp:listen(0, [{ifaddr, {local, Path}}, binary, {packet, 4}, {active, false}]),
    Evaluate = fun(Text) ->
        try
            {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text)),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            {value, Value, _} = erl_eval:exprs(Expressions, []),
            io_lib:format("ok ~0tp", [Value])
        catch
            Class:Reason -> io_lib:format("error ~0tp", [{Class, Reason}])
        end
    end,
    Serve = fun Serve(Socket) ->
        case gen_tcp:recv(Socket, 0) of
            {ok, Text} ->
                gen_tcp:send(Socket, unicode:characters_to_binary(Evaluate(Text))),
                Serve(Socket);
            {error, _} ->
                gen_tcp:close(Socket)
        end
    end,
    Accept = fun Accept() ->
        {ok, Socket} = gen_tcp:accept(Listener),
        Server = spawn(fun() -> receive serve -> Serve(Socket) end end),
        ok = gen_tcp:controlling_process(Socket, Server),
        Server ! serve,
        Accept()
    end,
    Accept()
end).
